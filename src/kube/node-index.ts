import type { Bytes } from '../model/bytes.ts';
import type { NodeState } from '../model/node.ts';
import { poolOfCapacityAnnotation } from '../model/names.ts';
import { parsePoolReport, type PoolReport } from '../model/pool.ts';
import type { Result } from '../model/result.ts';
import type { VolumeForm } from '../model/volume.ts';
import type { NodeFacts, PoolFacts } from '../scheduling/filter.ts';
import type { Ledger } from '../scheduling/ledger.ts';
import type { Room } from '../scheduling/room.ts';
import type { Labels } from '../scheduling/node-affinity.ts';
import type { NodeReader } from '../usecases/cluster.ts';
import type { Now } from '../usecases/ports.ts';
import { toNodeState } from './node-state.ts';
import type { Lease, Node } from './objects.ts';

/** What a StoragePool says of the volumes in it, on every node alike. */
export interface PoolRule {
  /** What a volume of a size occupies. */
  readonly allocatedFor: (size: Bytes) => Bytes;
  readonly gives: VolumeForm;
  /** Volumes keep the size that they were made with. */
  readonly fixedSize?: boolean;
}

/** The rule of a pool, or nothing where its StoragePool cannot be read. */
export type PoolRules = (pool: string) => PoolRule | undefined;

export interface NodeIndexOptions {
  readonly ledger: Ledger;
  readonly poolRules: PoolRules;
  readonly now: Now;
  readonly silentAfterMs: number;
}

interface Heartbeat {
  /** Both are missing while nothing has been heard. */
  renewTime: string | undefined;
  /** By our own clock: the clocks of nodes are not to be trusted. */
  seenAt: number | undefined;
}

const asAsked = (size: Bytes): Bytes => size;

const noStoragePool = 'has no StoragePool of that name that can be read';

// Classes, and references in place of searches by name: the scheduler asks for every node of the
// cluster twice per pod, and objects with getters of their own are an order slower to read.

/** A pool of a node as its last report says it; the rest is looked up at every question. */
class KnownPool implements PoolFacts {
  readonly #name: string;
  readonly #problem: string | undefined;
  readonly #rules: PoolRules;
  readonly #room: () => Room | undefined;
  readonly #healthy: boolean;

  constructor(
    name: string,
    report: Result<PoolReport, string>,
    { rules, room }: { rules: PoolRules; room: () => Room | undefined },
  ) {
    this.#name = name;
    this.#healthy = report.ok && report.value.healthy;
    this.#problem = report.ok ? undefined : `has an unreadable report: ${report.error}`;
    this.#rules = rules;
    this.#room = room;
  }

  get healthy(): boolean {
    return this.#healthy && this.#rules(this.#name) !== undefined;
  }

  get problem(): string | undefined {
    return this.#rules(this.#name) ? this.#problem : noStoragePool;
  }

  get room(): Room | undefined {
    return this.#room();
  }

  get gives(): VolumeForm {
    return this.#rules(this.#name)?.gives ?? 'device';
  }

  get fixedSize(): boolean {
    return this.#rules(this.#name)?.fixedSize ?? false;
  }

  get allocatedFor(): (size: Bytes) => Bytes {
    return this.#rules(this.#name)?.allocatedFor ?? asAsked;
  }
}

class KnownNode implements NodeFacts {
  readonly name: string;
  readonly labels: Labels;
  readonly state: NodeState;
  readonly pools: ReadonlyMap<string, KnownPool>;
  readonly #isAlive: () => boolean;

  constructor(
    name: string,
    { labels, state }: { labels: Labels; state: NodeState },
    pools: ReadonlyMap<string, KnownPool>,
    isAlive: () => boolean,
  ) {
    this.name = name;
    this.labels = labels;
    this.state = state;
    this.pools = pools;
    this.#isAlive = isAlive;
  }

  get alive(): boolean {
    return this.#isAlive();
  }

  get poolNames(): readonly string[] {
    return [...this.pools.keys()];
  }

  pool(name: string): PoolFacts | undefined {
    return this.pools.get(name);
  }
}

/**
 * What the nodes say of themselves: labels, pool reports, signs of life. Reports go on into the
 * ledger; questions of the scheduler are answered from memory alone.
 */
export class NodeIndex implements NodeReader {
  readonly #nodes = new Map<string, KnownNode>();
  readonly #heartbeats = new Map<string, Heartbeat>();
  readonly #options: NodeIndexOptions;
  readonly #returned: ((node: string) => void)[] = [];

  constructor(options: NodeIndexOptions) {
    this.#options = options;
  }

  /** Calls `listener` when a node that was silent gives a sign of life. */
  onReturn(listener: (node: string) => void): void {
    this.#returned.push(listener);
  }

  node(name: string): NodeFacts | undefined {
    return this.#nodes.get(name);
  }

  names(): Iterable<string> {
    return this.#nodes.keys();
  }

  /** Takes over a node, as the Node object says it. */
  putNode(node: Node): void {
    const { metadata = {} } = node;
    const name = metadata.name ?? '';
    const before = this.#nodes.get(name)?.pools.keys() ?? [];
    const pools = new Map<string, KnownPool>();
    for (const [key, text] of Object.entries(metadata.annotations ?? {})) {
      const pool = poolOfCapacityAnnotation(key);
      if (pool !== undefined) {
        pools.set(pool, this.#readPool(name, pool, text));
      }
    }
    for (const pool of before) {
      if (!pools.has(pool)) {
        this.#options.ledger.setReport({ node: name, pool }, undefined);
      }
    }
    const heartbeat = this.#heartbeatOf(name);
    const isAlive = (): boolean => this.#isFresh(heartbeat);
    const said = { labels: metadata.labels ?? {}, state: toNodeState(node) };
    this.#nodes.set(name, new KnownNode(name, said, pools, isAlive));
  }

  removeNode(name: string): void {
    for (const pool of this.#nodes.get(name)?.pools.keys() ?? []) {
      this.#options.ledger.setReport({ node: name, pool }, undefined);
    }
    this.#nodes.delete(name);
    this.#forgetUnused(name);
  }

  /** Takes over a sign of life. What is read first may be old, so its own time counts then. */
  putHeartbeat({ spec = {} }: Lease): void {
    const name = spec.holderIdentity ?? '';
    const heartbeat = this.#heartbeatOf(name);
    const renewTime = spec.renewTime ?? '';
    if (heartbeat.renewTime === renewTime) {
      return;
    }
    const now = this.#options.now();
    const isFirst = heartbeat.renewTime === undefined;
    const wasFresh = this.#isFresh(heartbeat);
    heartbeat.seenAt = isFirst ? Math.min(now, Date.parse(renewTime) || 0) : now;
    heartbeat.renewTime = renewTime;
    if (!wasFresh && this.#isFresh(heartbeat)) {
      this.#returned.forEach((tell) => tell(name));
    }
  }

  removeHeartbeat({ spec = {} }: Lease): void {
    const name = spec.holderIdentity ?? '';
    Object.assign(this.#heartbeatOf(name), silence());
    this.#forgetUnused(name);
  }

  isAlive(name: string): boolean {
    const heartbeat = this.#heartbeats.get(name);
    return heartbeat !== undefined && this.#isFresh(heartbeat);
  }

  /** What a volume occupies that no agent has confirmed yet. */
  allocatedFor(pool: string): (size: Bytes) => Bytes {
    return this.#options.poolRules(pool)?.allocatedFor ?? asAsked;
  }

  #readPool(node: string, pool: string, text: string): KnownPool {
    const { ledger, poolRules: rules } = this.#options;
    const report = parsePoolReport(text);
    ledger.setReport({ node, pool }, report.ok ? report.value : undefined);
    return new KnownPool(pool, report, { rules, room: ledger.roomReader({ node, pool }) });
  }

  #isFresh({ seenAt }: Heartbeat): boolean {
    const { now, silentAfterMs } = this.#options;
    return seenAt !== undefined && now() - seenAt <= silentAfterMs;
  }

  /** One object per node for as long as its Node or its Lease is there. */
  #heartbeatOf(name: string): Heartbeat {
    let heartbeat = this.#heartbeats.get(name);
    if (!heartbeat) {
      heartbeat = silence();
      this.#heartbeats.set(name, heartbeat);
    }
    return heartbeat;
  }

  #forgetUnused(name: string): void {
    if (!this.#nodes.has(name) && this.#heartbeats.get(name)?.renewTime === undefined) {
      this.#heartbeats.delete(name);
    }
  }
}

function silence(): Heartbeat {
  return { renewTime: undefined, seenAt: undefined };
}
