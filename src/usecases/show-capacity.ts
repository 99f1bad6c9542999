import { claimText } from '../model/claim.ts';
import type { Pod } from '../model/pod.ts';
import type { Ledger, PoolId } from '../scheduling/ledger.ts';
import { describeRejection } from '../scheduling/filter.ts';
import type { NodeReader, PodStore } from './cluster.ts';
import { explainWait } from './explain-wait.ts';
import type { FilterAnswer } from './filter-nodes.ts';

/** The answer of `GET /capacity`. Sizes are in bytes. */
export interface Capacity {
  readonly nodes: readonly NodeCapacity[];
  readonly waiting: readonly WaitingPod[];
}

export interface NodeCapacity {
  readonly node: string;
  /** Whether the node's agent gives signs of life. */
  readonly alive: boolean;
  readonly pools: readonly PoolCapacity[];
}

export interface PoolCapacity {
  readonly pool: string;
  readonly healthy: boolean;
  /** Why nothing is known, where that is so: no number below can be trusted then. */
  readonly problem?: string;
  readonly total: number;
  readonly free: number;
  readonly largest: number;
  /** Promised, or given out and not in a report of the node yet. */
  readonly reserved: number;
  readonly volumes: number;
  readonly generation: number;
}

export interface WaitingPod {
  readonly pod: string;
  readonly reason: string;
  /** Why each node refuses it; empty where the pod itself is at fault, or nothing refuses it. */
  readonly nodes: Readonly<Record<string, string>>;
}

export interface CapacityPorts {
  readonly nodes: NodeReader;
  readonly ledger: Ledger;
  readonly pods: PodStore;
  readonly judge: (pod: Pod, nodeNames: readonly string[]) => Promise<FilterAnswer>;
}

/** Nodes that neither have a pool nor a volume of ours are left out. */
export async function showCapacity(ports: CapacityPorts): Promise<Capacity> {
  const names = [...ports.nodes.names()].sort();
  const nodes = names.map((name) => nodeCapacity(name, ports)).filter((n) => n.pools.length > 0);
  const waiting: WaitingPod[] = [];
  for (const pod of ports.pods.pending()) {
    if (pod.nodeName === '' && !pod.deleting && pod.claims.length > 0) {
      waiting.push(...(await explain(pod, names, ports)));
    }
  }
  return { nodes, waiting };
}

function nodeCapacity(name: string, ports: CapacityPorts): NodeCapacity {
  const facts = ports.nodes.node(name);
  const known = new Set([...(facts?.poolNames ?? []), ...ports.ledger.poolsOn(name)]);
  const pools = [...known].sort().map((pool) => poolCapacity({ node: name, pool }, ports));
  return { node: name, alive: facts?.alive ?? false, pools };
}

const noRoom = { total: 0, free: 0, largest: 0, inFlight: 0 };

function poolCapacity(at: PoolId, { nodes, ledger }: CapacityPorts): PoolCapacity {
  const facts = nodes.node(at.node)?.pool(at.pool);
  const { total, free, largest, inFlight } = facts?.room ?? noRoom;
  return {
    pool: at.pool,
    healthy: facts?.healthy ?? false,
    ...(facts?.problem === undefined ? {} : { problem: facts.problem }),
    total,
    free,
    largest,
    reserved: inFlight,
    volumes: ledger.volumesIn(at),
    generation: ledger.reportOf(at)?.generation ?? 0,
  };
}

async function explain(
  pod: Pod,
  names: readonly string[],
  { judge }: CapacityPorts,
): Promise<WaitingPod[]> {
  const answer = await judge(pod, names);
  const concernsUs = answer.needs.volumes.length > 0 || answer.refusal !== undefined;
  if (!concernsUs) {
    return [];
  }
  const fits = answer.feasible.length;
  const reason =
    fits > 0 ? `room on ${fits} node(s): the scheduler has not placed it yet` : explainWait(answer);
  const nodes = [...answer.rejections].map(([node, no]) => [node, describeNode(no)] as const);
  return [{ pod: claimText(pod), reason, nodes: Object.fromEntries(nodes) }];
}

function describeNode(rejection: Parameters<typeof describeRejection>[0]): string {
  const text = describeRejection(rejection).replace(/^berth: /, '');
  return 'room' in rejection ? `${text}: ${rejection.room.free} bytes free` : text;
}
