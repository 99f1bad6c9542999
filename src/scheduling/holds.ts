import type { Fit } from './filter.ts';
import type { PoolId } from './ledger.ts';

/** What a pod that was filtered, and not bound yet, may take from any node it fits. */
interface Hold {
  readonly places: readonly Place[];
  readonly until: number;
}

/** One node that a pod fits, and what it would take there. */
export interface Place {
  readonly node: string;
  readonly fit: Fit;
}

/**
 * Remembers pods between their filter and their bind.
 *
 * kube-scheduler filters one pod after another, but binds in the background: the next pod is
 * often filtered before the bind of the one before has arrived. In that gap nobody knows which of
 * its feasible nodes the first pod gets, so it holds room on each of them for a moment.
 *
 * What is held is kept as sums by pool and node: in a burst dozens of pods hold thousands of nodes.
 * Sums that are 0 again stay, since the next pod mostly holds the same nodes.
 */
export class Holds {
  readonly #byPod = new Map<string, Hold>();
  readonly #sums = new Map<string, Map<string, number>>();
  readonly #ended: () => void;

  /** @param ended - hears whenever a pod stops holding, or holds less */
  constructor(ended: () => void = () => {}) {
    this.#ended = ended;
  }

  put(podUid: string, places: readonly Place[], until: number): void {
    this.#drop(podUid);
    this.#byPod.set(podUid, { places, until });
    this.#addUp(places, 1);
  }

  /** Its bind has come: from now on it holds only that node, until its bind ends the hold. */
  settle(podUid: string, node: string): void {
    const hold = this.#byPod.get(podUid);
    if (hold) {
      const places = hold.places.filter((place) => place.node === node);
      this.put(podUid, places, Infinity);
      this.#ended();
    }
  }

  end(podUid: string): void {
    if (this.#drop(podUid)) {
      this.#ended();
    }
  }

  /** Whether any other pod holds something now; forgets what has lapsed. */
  anyBut(podUid: string, now: number): boolean {
    let any = false;
    for (const [uid, hold] of this.#byPod) {
      if (hold.until <= now) {
        this.#drop(uid);
      } else if (uid !== podUid) {
        any = true;
      }
    }
    return any;
  }

  /** What all pods together hold in a pool, in the backend's real sizes. */
  heldIn({ node, pool }: PoolId): number {
    return this.#sums.get(pool)?.get(node) ?? 0;
  }

  #drop(podUid: string): boolean {
    const hold = this.#byPod.get(podUid);
    if (hold) {
      this.#byPod.delete(podUid);
      this.#addUp(hold.places, -1);
    }
    return hold !== undefined;
  }

  #addUp(places: readonly Place[], sign: 1 | -1): void {
    for (const { node, fit } of places) {
      for (const { pool, needed } of fit) {
        let sums = this.#sums.get(pool);
        if (!sums) {
          sums = new Map();
          this.#sums.set(pool, sums);
        }
        const sum = (sums.get(node) ?? 0) + sign * needed;
        sums.set(node, sum);
      }
    }
  }
}
