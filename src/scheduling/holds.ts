import type { Bytes } from '../model/bytes.ts';
import type { NeedsByPool } from './filter.ts';
import type { PoolId } from './ledger.ts';

/** What a pod that was filtered, and not bound yet, may take from any node it fits. */
interface Hold {
  readonly groups: NeedsByPool;
  readonly nodes: ReadonlySet<string>;
  readonly until: number;
}

/**
 * Remembers pods between their filter and their bind.
 *
 * kube-scheduler filters one pod after another, but binds in the background: the next pod is
 * often filtered before the bind of the one before has arrived. In that gap nobody knows which of
 * its feasible nodes the first pod gets, so it holds room on each of them for a moment.
 */
export class Holds {
  readonly #byPod = new Map<string, Hold>();
  readonly #ended: () => void;

  /** @param ended - hears whenever a pod stops holding */
  constructor(ended: () => void = () => {}) {
    this.#ended = ended;
  }

  put(podUid: string, groups: NeedsByPool, nodes: Iterable<string>, until: number): void {
    this.#byPod.set(podUid, { groups, nodes: new Set(nodes), until });
  }

  end(podUid: string): void {
    if (this.#byPod.delete(podUid)) {
      this.#ended();
    }
  }

  /** Whether any other pod holds something now; forgets what has lapsed. */
  anyBut(podUid: string, now: number): boolean {
    let any = false;
    for (const [uid, hold] of this.#byPod) {
      if (hold.until <= now) {
        this.#byPod.delete(uid);
      } else if (uid !== podUid) {
        any = true;
      }
    }
    return any;
  }

  /** What other pods hold in a pool, in the backend's real sizes. */
  heldIn({ node, pool }: PoolId, exceptPod: string, allocatedFor: (size: Bytes) => Bytes): number {
    let held = 0;
    for (const [uid, hold] of this.#byPod) {
      if (uid === exceptPod || !hold.nodes.has(node)) {
        continue;
      }
      const group = hold.groups.find((one) => one.pool === pool);
      for (const need of group?.needs ?? []) {
        held += allocatedFor(need.bytes);
      }
    }
    return held;
  }
}
