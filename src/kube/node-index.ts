import type { Bytes } from '../model/bytes.ts';
import { poolOfCapacityAnnotation } from '../model/names.ts';
import { parsePoolReport } from '../model/pool.ts';
import type { NodeFacts, PoolFacts } from '../scheduling/filter.ts';
import type { Ledger } from '../scheduling/ledger.ts';
import type { Labels } from '../scheduling/node-affinity.ts';
import type { NodeReader } from '../usecases/cluster.ts';
import type { Now } from '../usecases/ports.ts';
import type { Lease, Node } from './objects.ts';

/** What a volume of a size occupies in a pool, or nothing where its StoragePool cannot be read. */
export type AllocationRule = (pool: string) => ((size: Bytes) => Bytes) | undefined;

export interface NodeIndexOptions {
  readonly ledger: Ledger;
  readonly allocationRule: AllocationRule;
  readonly now: Now;
  readonly silentAfterMs: number;
}

interface KnownPool {
  readonly healthy: boolean;
  readonly problem: string | undefined;
}

interface KnownNode {
  readonly labels: Labels;
  readonly pools: ReadonlyMap<string, KnownPool>;
  readonly facts: NodeFacts;
}

interface Heartbeat {
  readonly renewTime: string;
  /** By our own clock: the clocks of nodes are not to be trusted. */
  readonly seenAt: number;
}

const asAsked = (size: Bytes): Bytes => size;

/**
 * What the nodes say of themselves: labels, pool reports, signs of life. Reports go on into the
 * ledger; questions of the scheduler are answered from memory alone.
 */
export class NodeIndex implements NodeReader {
  readonly #nodes = new Map<string, KnownNode>();
  readonly #heartbeats = new Map<string, Heartbeat>();
  readonly #options: NodeIndexOptions;

  constructor(options: NodeIndexOptions) {
    this.#options = options;
  }

  node(name: string): NodeFacts | undefined {
    return this.#nodes.get(name)?.facts;
  }

  names(): Iterable<string> {
    return this.#nodes.keys();
  }

  /** Takes over a node, as the Node object says it. */
  putNode({ metadata = {} }: Node): void {
    const name = metadata.name ?? '';
    const labels = metadata.labels ?? {};
    const before = this.#nodes.get(name)?.pools ?? new Map<string, KnownPool>();
    const pools = new Map<string, KnownPool>();
    for (const [key, text] of Object.entries(metadata.annotations ?? {})) {
      const pool = poolOfCapacityAnnotation(key);
      if (pool !== undefined) {
        pools.set(pool, this.#readPool(name, pool, text));
      }
    }
    for (const pool of before.keys()) {
      if (!pools.has(pool)) {
        this.#options.ledger.setReport({ node: name, pool }, undefined);
      }
    }
    const alive = (): boolean => this.isAlive(name);
    const facts: NodeFacts = {
      name,
      labels,
      get alive() {
        return alive();
      },
      poolNames: [...pools.keys()],
      pool: (pool) => this.#poolFacts(name, pool),
    };
    this.#nodes.set(name, { labels, pools, facts });
  }

  removeNode(name: string): void {
    for (const pool of this.#nodes.get(name)?.pools.keys() ?? []) {
      this.#options.ledger.setReport({ node: name, pool }, undefined);
    }
    this.#nodes.delete(name);
  }

  /** Takes over a sign of life. What is read first may be old, so its own time counts then. */
  putHeartbeat({ spec = {} }: Lease): void {
    const node = spec.holderIdentity ?? '';
    const renewTime = spec.renewTime ?? '';
    const before = this.#heartbeats.get(node);
    if (before?.renewTime === renewTime) {
      return;
    }
    const now = this.#options.now();
    const seenAt = before ? now : Math.min(now, Date.parse(renewTime) || 0);
    this.#heartbeats.set(node, { renewTime, seenAt });
  }

  removeHeartbeat({ spec = {} }: Lease): void {
    this.#heartbeats.delete(spec.holderIdentity ?? '');
  }

  isAlive(name: string): boolean {
    const seenAt = this.#heartbeats.get(name)?.seenAt;
    const { now, silentAfterMs } = this.#options;
    return seenAt !== undefined && now() - seenAt <= silentAfterMs;
  }

  /** What a volume occupies that no agent has confirmed yet. */
  allocatedFor(pool: string): (size: Bytes) => Bytes {
    return this.#options.allocationRule(pool) ?? asAsked;
  }

  #readPool(node: string, pool: string, text: string): KnownPool {
    const report = parsePoolReport(text);
    this.#options.ledger.setReport({ node, pool }, report.ok ? report.value : undefined);
    return report.ok
      ? { healthy: report.value.healthy, problem: undefined }
      : { healthy: false, problem: `has an unreadable report: ${report.error}` };
  }

  #poolFacts(node: string, pool: string): PoolFacts | undefined {
    const known = this.#nodes.get(node)?.pools.get(pool);
    if (!known) {
      return undefined;
    }
    const room = this.#options.ledger.room({ node, pool });
    const rule = this.#options.allocationRule(pool);
    return rule
      ? { ...known, room, allocatedFor: rule }
      : { healthy: false, problem: noStoragePool, room, allocatedFor: asAsked };
  }
}

const noStoragePool = 'has no StoragePool of that name that can be read';
