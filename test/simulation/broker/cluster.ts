import {
  claimName,
  placeholderName,
  type ClaimPart,
  type Parts,
  type PlaceholderPart,
} from '../../../src/broker/parts.ts';
import type { Recorded } from '../../../src/broker/manifests.ts';
import type { Place } from '../../../src/broker/places.ts';
import { bytes } from '../../../src/model/bytes.ts';
import { volumeName } from '../../../src/model/names.ts';
import type { StoredInstance } from '../../../src/usecases/broker-ports.ts';
import { memoryStore } from '../../support/broker/memory-store.ts';
import { Actor, type Step } from '../actor.ts';
import type { World } from '../world.ts';

export interface Claim {
  readonly name: string;
  readonly uid: string;
  /** The name and the uid of the record that it belongs to. */
  readonly record: string;
  readonly recordUid: string;
  requested: number;
  capacity: number | undefined;
  lost: boolean;
  deleting: boolean;
  owned: boolean;
  /** The end of a claim that outlives its instance. */
  until: number | undefined;
}

interface Placeholder {
  readonly name: string;
  readonly uid: string;
  readonly record: Recorded;
  readonly claim: string;
  readonly askedAt: number;
  node: string | undefined;
  standing: PlaceholderPart['standing'];
  refusedAt: number;
  /** How long the event about its refusal takes; some are lost. */
  readonly eventMs: number;
}

interface Volume {
  readonly node: string;
  /** Nothing where the broker has nothing to do with it. */
  readonly claim: Claim | undefined;
  size: number;
  deleting: boolean;
}

interface Node {
  readonly zone: string;
  readonly size: number;
  lost: boolean;
}

/** Kubernetes and the other roles of Berth, as far as the broker sees of them, and its records. */
export class BrokerCluster {
  readonly nodes = new Map<string, Node>();
  readonly claims = new Map<string, Claim>();
  readonly pods = new Map<string, Placeholder>();
  readonly volumes = new Map<string, Volume>();
  readonly records = new Map<string, StoredInstance>();
  /** Volumes that were seen to wait for their lost node, which erases them when it comes back. */
  readonly leftToNodes = new Set<string>();
  /** The names of claims that pods of people use. */
  readonly users = new Set<string>();
  readonly store = memoryStore();
  onChange: (record: string) => void = () => {};
  readonly #world: World;
  readonly #actor: Actor;
  #made = 0;

  constructor(world: World) {
    this.#world = world;
    this.#actor = new Actor(world, 'kubernetes', () => this.#due());
    for (const name of ['a1', 'a2', 'b1', 'b2']) {
      this.nodes.set(name, { zone: name[0] ?? '', size: 10 * 2 ** 30, lost: false });
    }
  }

  changed(record: string): void {
    this.onChange(record);
    this.#actor.wake();
  }

  /** A record was written. */
  async recorded(id: string): Promise<void> {
    const stored = await this.store.get(id);
    if (stored) {
      this.records.set(id, stored);
    } else {
      this.records.delete(id);
    }
    this.changed(id);
  }

  partsOf(uid: string): Parts {
    const claims = [...this.claims.values()].filter((one) => one.recordUid === uid);
    const pods = [...this.pods.values()].filter((one) => one.record.uid === uid);
    return { claims: claims.map((one) => this.#claimPart(one)), placeholders: pods.map(podPart) };
  }

  #claimPart({ name, uid, lost, deleting, owned, requested, capacity }: Claim): ClaimPart {
    return {
      ...{ name, uid, lost, deleting, owned, bound: capacity !== undefined && !lost },
      requested: bytes(requested),
      capacity: capacity === undefined ? undefined : bytes(capacity),
    };
  }

  makeClaim({ name: record, uid: recordUid, instance }: Recorded, index: number): void {
    const name = claimName(recordUid, index);
    if (!this.claims.has(name)) {
      const asked = { requested: instance.wants.bytes, capacity: undefined, until: undefined };
      const uid = this.#uid();
      this.claims.set(name, {
        ...{ name, uid, record, recordUid, ...asked, lost: false, deleting: false, owned: true },
      });
      this.changed(record);
    }
  }

  makePlaceholder(record: Recorded, index: number): void {
    const name = placeholderName(record.uid, index);
    if (!this.pods.has(name)) {
      const claim = claimName(record.uid, index);
      const asked = { askedAt: this.#world.now, node: undefined, standing: 'asking' as const };
      const eventMs = this.#world.random.pick([0, 300, 2_000, Infinity]) ?? 0;
      const pod = { name, uid: this.#uid(), record, claim, ...asked, refusedAt: 0, eventMs };
      this.pods.set(name, pod);
      this.changed(record.name);
    }
  }

  removeClaim(name: string, uid: string): void {
    const claim = this.claims.get(name);
    if (claim?.uid === uid) {
      claim.deleting = true;
      this.changed(claim.record);
    }
  }

  freeClaim(name: string, uid: string): void {
    const claim = this.claims.get(name);
    if (claim?.uid === uid) {
      claim.owned = false;
      this.changed(claim.record);
    }
  }

  retain(name: string, uid: string, until: number): void {
    const claim = this.claims.get(name);
    if (claim?.uid === uid) {
      claim.until = until;
      this.#world.after(until - this.#world.now, undefined, () => this.changed(claim.record));
    }
  }

  removePlaceholder(name: string, uid: string): void {
    const pod = this.pods.get(name);
    if (pod?.uid === uid) {
      this.pods.delete(name);
      this.changed(pod.record.name);
    }
  }

  place({ name, uid, capacity, requested }: ClaimPart): Place {
    const persistentVolume = volumeName(uid);
    const volume = this.volumes.get(persistentVolume);
    const node = volume && this.nodes.get(volume.node);
    const place = {
      ...{ claim: name, persistentVolume, node: volume?.node ?? '', zone: node?.zone },
      bytes: capacity ?? requested,
    };
    const isWell = node?.lost === false && volume?.deleting === false;
    return isWell ? place : { ...place, trouble: 'it is not there' };
  }

  isGone(name: string): boolean {
    const volume = this.volumes.get(name);
    if (volume?.deleting === true && this.nodes.get(volume.node)?.lost === true) {
      this.leftToNodes.add(name);
    }
    return !volume || this.leftToNodes.has(name);
  }

  free(node: string): number {
    const used = [...this.volumes.values()].filter((volume) => volume.node === node);
    return (this.nodes.get(node)?.size ?? 0) - used.reduce((sum, { size }) => sum + size, 0);
  }

  /** The event about the refusal of a pod. */
  told(uid: string): string {
    const pod = [...this.pods.values()].find((one) => one.uid === uid);
    const isThere = pod && pod.refusedAt + pod.eventMs <= this.#world.now;
    return isThere ? eventAbout(uid) : '';
  }

  #uid(): string {
    this.#made += 1;
    return `u${this.#made}`;
  }

  #due(): readonly Step[] {
    return [
      ...[...this.pods.values()].flatMap((pod) => this.#dueOfPod(pod)),
      ...[...this.claims.values()].flatMap((claim) => this.#dueOfClaim(claim)),
      ...[...this.volumes].flatMap(([name, volume]) => this.#dueOfVolume(name, volume)),
    ];
  }

  #step(record: string, text: string, act: () => void): readonly Step[] {
    const actAndTell = (): void => {
      act();
      this.changed(record);
    };
    return [{ text, act: actAndTell }];
  }

  #dueOfPod(pod: Placeholder): readonly Step[] {
    const { name, record, claim: claimed, node, standing } = pod;
    const step = (text: string, act: () => void): readonly Step[] =>
      this.#step(record.name, `${name} ${text}`, act);
    if (this.records.get(record.name)?.uid !== record.uid) {
      return step('goes with its record', () => this.pods.delete(name));
    }
    if (node !== undefined) {
      const isOver = standing !== 'ended' && this.nodes.get(node)?.lost === true;
      return isOver ? step('ends with its node', () => (pod.standing = 'ended')) : [];
    }
    const claim = this.claims.get(claimed);
    if (!claim || claim.deleting || claim.lost) {
      return [];
    }
    const fitting = this.#world.random.pick(this.#fitting(pod, claim));
    if (fitting !== undefined) {
      return step(`is placed on ${fitting}`, () => {
        Object.assign(pod, { node: fitting, standing: 'placed' });
        const volume = { node: fitting, claim, size: claim.requested, deleting: false };
        const known = volumeName(claim.uid);
        this.volumes.set(known, this.volumes.get(known) ?? volume);
      });
    }
    return standing === 'asking'
      ? step('is refused', () =>
          Object.assign(pod, { standing: 'refused', refusedAt: this.#world.now }),
        )
      : [];
  }

  /** The nodes where a placeholder may be: with room, and apart from the others of its set. */
  #fitting({ record }: Placeholder, claim: Claim): readonly string[] {
    const { spread } = record.instance.wants;
    const keyOf = (node: string): string =>
      spread === 'zones' ? (this.nodes.get(node)?.zone ?? '') : node;
    const taken = [...this.pods.values()].flatMap((other) =>
      other.record.uid === record.uid && other.node !== undefined && other.standing === 'placed'
        ? [keyOf(other.node)]
        : [],
    );
    const chosen = this.volumes.get(volumeName(claim.uid))?.node;
    return [...this.nodes].flatMap(([node, { lost }]) => {
      const isApart = spread === 'none' || !taken.includes(keyOf(node));
      const hasRoom = chosen === undefined ? this.free(node) >= claim.requested : node === chosen;
      return !lost && isApart && hasRoom ? [node] : [];
    });
  }

  #dueOfClaim(claim: Claim): readonly Step[] {
    const { name, uid, capacity, requested } = claim;
    const volume = this.volumes.get(volumeName(uid));
    const step = (text: string, act: () => void): readonly Step[] =>
      this.#step(claim.record, `${name} ${text}`, act);
    if (claim.deleting) {
      const gone = (): void => {
        this.claims.delete(name);
        Object.assign(volume ?? {}, { deleting: true });
      };
      return this.users.has(name) ? [] : step('is gone', gone);
    }
    if (claim.owned && this.records.get(claim.record)?.uid !== claim.recordUid) {
      return step('goes with its record', () => (claim.deleting = true));
    }
    if (claim.until !== undefined && claim.until <= this.#world.now) {
      return step('has had its time', () => (claim.deleting = true));
    }
    if (!volume || volume.deleting || this.nodes.get(volume.node)?.lost !== false) {
      return [];
    }
    if (capacity === undefined) {
      return step('is bound', () => (claim.capacity = volume.size));
    }
    const more = requested - capacity;
    return more > 0 && this.free(volume.node) >= more
      ? step('grows', () => {
          volume.size = requested;
          claim.capacity = requested;
        })
      : [];
  }

  #dueOfVolume(name: string, { deleting, node }: Volume): readonly Step[] {
    const isDue = deleting && this.nodes.get(node)?.lost === false;
    return isDue ? [{ text: `${name} is erased`, act: () => this.volumes.delete(name) }] : [];
  }
}

export function eventAbout(uid: string): string {
  return `the lack of ${uid}`;
}

function podPart({ name, uid, standing, askedAt, refusedAt }: Placeholder): PlaceholderPart {
  return { name, uid, standing, askedAt, refusedAt, message: 'berth: no room' };
}
