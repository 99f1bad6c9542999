import { bytes, minusBytes } from '../../src/model/bytes.ts';
import type { Claim, VolumeClass } from '../../src/model/claim.ts';
import { volumeName } from '../../src/model/names.ts';
import type { NodeState } from '../../src/model/node.ts';
import type { Pod } from '../../src/model/pod.ts';
import type { LocalVolume, VolumeForm, VolumeStatus } from '../../src/model/volume.ts';
import type { NodeFacts } from '../../src/scheduling/filter.ts';
import { Ledger } from '../../src/scheduling/ledger.ts';
import type {
  ClaimStore,
  Lookup,
  LossRecord,
  NodeReader,
  NodeStore,
  PersistentVolume,
  PersistentVolumeStore,
  PodStore,
  VolumeStore,
} from '../../src/usecases/cluster.ts';
import type { EventSink, Log } from '../../src/usecases/ports.ts';
import { asAsked, nodeFacts } from './facts.ts';

export const silentLog: Log = { info: () => {}, warn: () => {}, error: () => {} };

/**
 * The ports of the use cases over plain maps, for faults at exact moments: what really happens
 * against an API server is tested against one. Memory and the live state are the same here, but
 * for `stale`.
 */
export class FakeCluster {
  readonly ledger = new Ledger();
  readonly localVolumes = new Map<string, LocalVolume>();
  readonly persistentVolumeObjects = new Map<string, PersistentVolume>();
  readonly claimObjects = new Map<string, Claim>();
  readonly classes = new Map<string, VolumeClass>();
  readonly podObjects = new Map<string, Pod>();
  readonly nodeFacts = new Map<string, NodeFacts>();
  /** Memory has not heard of any claim yet. */
  forgetsClaims = false;
  /** Agents that live although memory has no Node of theirs. */
  readonly agents = new Set<string>();
  /** Nodes as a live read shows them, where that differs from memory. */
  readonly liveNodes = new Map<string, NodeState | undefined>();
  /** Pods that have a controller, by name. */
  readonly controlled = new Set<string>();
  /** LocalVolumes as memory shows them, where that differs from what is there. */
  readonly stale = new Map<string, LocalVolume>();
  /** Every write, as `verb name`. */
  readonly writes: string[] = [];
  readonly events: string[] = [];
  /** What the agent says when it is waited for. */
  agent: (volume: LocalVolume) => VolumeStatus = () => ({ phase: 'Ready', path: '/dev/x' });
  /** Thrown by the call of that name, or what happens just before it. */
  readonly before = new Map<string, () => void>();
  #version = 1;

  constructor(node = 'n1', free = 100) {
    this.addNode(node, free);
  }

  /** What the pools give, where a StoragePool says so. */
  readonly volumeForms = new Map<string, VolumeForm>();

  addNode(name: string, free: number, pool = 'fast', change: Partial<NodeFacts> = {}): void {
    const { ledger } = this;
    const [total, largest] = [bytes(1000), bytes(free)];
    const said = { total, free: bytes(free), largest, generation: 1, healthy: true };
    ledger.setReport({ node: name, pool }, said);
    const poolOf = (asked: string) => {
      const room = ledger.room({ node: name, pool: asked });
      return room && { healthy: true, room, gives: 'device' as const, allocatedFor: asAsked };
    };
    this.nodeFacts.set(name, nodeFacts(name, {}, { poolNames: [pool], pool: poolOf, ...change }));
  }

  /** Makes the call throw, at its first or a later time. */
  breakAt(call: string, nth = 1): void {
    let left = nth;
    this.before.set(call, () => {
      left -= 1;
      if (left === 0) {
        throw new Error(`${call} failed`);
      }
    });
  }

  put(...objects: readonly (Claim | LocalVolume)[]): void {
    for (const object of objects) {
      if ('ref' in object) {
        this.claimObjects.set(`${object.ref.namespace}/${object.ref.name}`, object);
      } else {
        this.#putVolume(object);
      }
    }
  }

  change(name: string, change: Partial<LocalVolume>): LocalVolume | undefined {
    const volume = this.localVolumes.get(name);
    return volume && this.#putVolume({ ...volume, ...change, resourceVersion: this.#next() });
  }

  removeVolume(name: string): void {
    this.localVolumes.delete(name);
    this.ledger.removeVolume(name);
  }

  readonly nodes: NodeReader = {
    node: (name) => this.nodeFacts.get(name),
    names: () => this.nodeFacts.keys(),
    isAlive: (name) => this.nodeFacts.get(name)?.alive === true || this.agents.has(name),
  };

  readonly nodeObjects: NodeStore = {
    read: async (name) =>
      this.#call(
        'readNode',
        this.liveNodes.has(name) ? this.liveNodes.get(name) : this.nodeFacts.get(name)?.state,
      ),
  };

  readonly losses: LossRecord = {
    markNodeLost: async (volume, since) => this.#mark('lost', volume, { nodeLostSince: since }),
    markGivenUp: async (volume) => this.#mark('giveUp', volume, { givenUp: true }),
    markDiskFailing: async (volume, since) =>
      this.#mark('failing', volume, { diskFailingSince: since }),
    markBack: async (volume) =>
      this.#mark('back', volume, {
        nodeLostSince: undefined,
        diskFailingSince: undefined,
        givenUp: false,
      }),
    requestPurge: async ({ name, spec }) => this.#write('purge', `${name} on ${spec.node}`),
    releaseFromAgent: async ({ name }) => {
      this.#write('releaseFromAgent', name);
      this.removeVolume(name);
    },
  };

  readonly lookup: Lookup = {
    claim: async (namespace, name) => this.#call('lookup', this.#claim(namespace, name)),
    volumeClass: async (name) => this.classes.get(name ?? 'default'),
    persistentVolume: async (name) => this.persistentVolumeObjects.get(name),
    localVolumeOf: (uid) => this.localVolumes.get(volumeName(uid)),
    volumeForm: (pool) => this.volumeForms.get(pool),
  };

  readonly volumes: VolumeStore = {
    list: () => this.localVolumes.values(),
    get: (name) => this.stale.get(name) ?? this.localVolumes.get(name),
    read: async (name) => this.#call('read', this.localVolumes.get(name)),
    ensure: async (name, spec, first) => {
      this.#write('ensure', name);
      const uid = `volume-${this.#next()}`;
      const made: LocalVolume = {
        ...{ name, uid, spec, resourceVersion: this.#next(), status: { phase: 'Pending' } },
        ...{ deleting: false, heldByControl: true, heldByAgent: true },
        published: false,
        follows: first && { name: first.name, uid: first.uid },
      };
      return this.localVolumes.get(name) ?? this.#putVolume(made);
    },
    markFollower: async (volume, { name, uid }) =>
      this.#mark('follow', volume, { follows: { name, uid } }),
    promise: async (volume, size) =>
      this.#mark('promise', volume, { spec: { ...volume.spec, bytes: size } }),
    markPublished: async (volume) => this.#mark('publish', volume, { published: true }),
    markRetained: async (volume) => this.#mark('retain', volume, { retained: true }),
    markDeleted: async (volume) => this.#mark('delete', volume, { deleting: true }),
    releaseToAgent: async ({ name }) => {
      this.#write('release', name);
      this.change(name, { heldByControl: false });
    },
    waitUntil: async (name, done) => {
      this.#call('wait', name);
      const volume = this.localVolumes.get(name);
      if (volume?.deleting) {
        this.removeVolume(name);
      } else if (volume?.status.phase === 'Pending') {
        this.change(name, { status: this.agent(volume) });
      }
      return done(this.volumes.get(name));
    },
  };

  readonly persistentVolumes: PersistentVolumeStore = {
    get: (name) => this.persistentVolumeObjects.get(name),
    read: async (name) => this.#call('readPv', this.persistentVolumeObjects.get(name)),
    ensure: async ({ name }, claim) => {
      this.#write('ensurePv', name);
      this.persistentVolumeObjects.set(name, {
        ...{
          name,
          uid: `pv-${name}`,
          resourceVersion: '1',
          phase: 'Available',
          claimUid: claim.ref.uid,
        },
        ...{ reclaimPolicy: 'Delete', ours: true, heldByControl: true, deleting: false, terms: [] },
        capacity: claim.requested.ok ? claim.requested.value : undefined,
      });
    },
    setCapacity: async (volume, capacity) => {
      this.#write('growPv', volume.name);
      this.persistentVolumeObjects.set(volume.name, { ...volume, capacity });
      return true;
    },
    markHealth: async (volume, health) => {
      this.#write('healthPv', `${volume.name} ${health ?? 'well'}`);
      this.persistentVolumeObjects.set(volume.name, { ...volume, health });
      return true;
    },
    letGo: async ({ name }) => {
      this.#write('letGoPv', name);
      this.persistentVolumeObjects.delete(name);
    },
    remove: async ({ name }) => {
      this.#write('removePv', name);
      this.persistentVolumeObjects.delete(name);
    },
  };

  readonly claims: ClaimStore = {
    get: (namespace, name) => (this.forgetsClaims ? undefined : this.#claim(namespace, name)),
    read: async (namespace, name) => this.#call('readClaim', this.#claim(namespace, name)),
    clearSelectedNode: async ({ ref }) => this.#write('clearSelectedNode', ref.name),
    setCapacity: async (claim, capacity) => {
      this.#write('growClaim', claim.ref.name);
      const grown = { ...claim, capacity, isResizing: false };
      this.claimObjects.set(`${claim.ref.namespace}/${claim.ref.name}`, grown);
      return true;
    },
    delete: async ({ namespace, name, uid }) => {
      this.#write('deleteClaim', name);
      const now = this.#claim(namespace, name);
      if (now?.ref.uid === uid) {
        this.claimObjects.set(`${namespace}/${name}`, { ...now, deleting: true });
      }
    },
  };

  readonly pods: PodStore = {
    pending: () => this.podObjects.values(),
    get: (_namespace, name) => this.podObjects.get(name),
    read: async (_namespace, name) => this.#call('readPod', this.podObjects.get(name)),
    bind: async (pod, node) => {
      this.#write('bind', `${pod.name} to ${node}`);
      const now = this.podObjects.get(pod.name);
      if (now?.uid !== pod.uid || now.nodeName !== '') {
        return false;
      }
      this.podObjects.set(pod.name, { ...now, nodeName: node });
      return true;
    },
    touch: async ({ name }) => this.#write('touch', name),
    usersOf: async ({ name }, node) =>
      [...this.podObjects.values()]
        .filter(({ nodeName }) => nodeName === node || nodeName === '')
        .filter(({ claims }) => claims.some((claim) => claim.name === name))
        .map((pod) => ({ pod, replaceable: this.controlled.has(pod.name) })),
    delete: async ({ name }, force) => {
      this.#write(force ? 'forcePod' : 'deletePod', name);
      this.podObjects.delete(name);
    },
  };

  readonly eventSink: EventSink = {
    normal: (about, reason, message) => void this.events.push(tell(about, reason, message)),
    warning: (about, reason, message) => void this.events.push(tell(about, reason, message)),
  };

  #claim(namespace: string, name: string): Claim | undefined {
    return this.claimObjects.get(`${namespace}/${name}`);
  }

  #mark(verb: string, seen: LocalVolume, change: Partial<LocalVolume>): boolean {
    this.#write(verb, seen.name);
    const now = this.localVolumes.get(seen.name);
    if (now?.uid !== seen.uid || now.resourceVersion !== seen.resourceVersion) {
      return false;
    }
    this.change(seen.name, change);
    return true;
  }

  #putVolume(volume: LocalVolume): LocalVolume {
    const { name, spec, status } = volume;
    this.localVolumes.set(name, volume);
    this.ledger.setVolume({
      ...{ name, node: spec.node, pool: spec.pool, claimUid: spec.claimRef.uid },
      ...{ allocated: spec.bytes, seenIn: status.generation },
      growth: minusBytes(spec.bytes, status.bytes ?? spec.bytes),
    });
    return volume;
  }

  #write(verb: string, name: string): void {
    this.#call(verb, name);
    this.writes.push(`${verb} ${name}`);
  }

  #call<T>(verb: string, answer: T): T {
    this.before.get(verb)?.();
    return answer;
  }

  #next(): string {
    this.#version += 1;
    return String(this.#version);
  }
}

function tell(about: { kind: string; name: string }, reason: string, message: string): string {
  return `${about.kind} ${about.name} ${reason}: ${message}`;
}
