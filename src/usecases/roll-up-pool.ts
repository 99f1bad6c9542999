/** What the agents say of one pool, each for its node. */
export interface PoolOnNode {
  readonly node: string;
  /** False when the node's agent is silent: what it said last may be long untrue. */
  readonly alive: boolean;
  readonly healthy: boolean;
  readonly message: string | undefined;
  readonly total: number;
  readonly free: number;
  readonly volumes: number;
}

export interface PoolSummary {
  readonly nodes: number;
  readonly total: number;
  readonly free: number;
  readonly volumes: number;
  readonly ready: boolean;
  /** One word for programs. */
  readonly reason: 'PoolReady' | 'NoNodes' | 'NodesUnhealthy';
  readonly message: string;
}

const namedNodes = 3;

/** The status of a StoragePool, from what its nodes say. */
export function rollUpPool(nodes: readonly PoolOnNode[]): PoolSummary {
  const sum = (of: (one: PoolOnNode) => number): number => nodes.reduce((n, one) => n + of(one), 0);
  const counted = {
    nodes: nodes.length,
    total: sum((one) => one.total),
    free: sum((one) => (one.alive ? one.free : 0)),
    volumes: sum((one) => one.volumes),
  };
  if (nodes.length === 0) {
    const message = 'no node offers this pool: does the nodeSelector match, and do the agents run?';
    return { ...counted, ready: false, reason: 'NoNodes', message };
  }
  const ill = nodes.filter((one) => !one.healthy || !one.alive);
  if (ill.length > 0) {
    const named = ill.slice(0, namedNodes).map((one) => `${one.node}: ${describeIllness(one)}`);
    const more = ill.length > namedNodes ? `; and ${ill.length - namedNodes} more` : '';
    const message = `${ill.length} of ${nodes.length} nodes unhealthy: ${named.join('; ')}${more}`;
    return { ...counted, ready: false, reason: 'NodesUnhealthy', message };
  }
  const message = `${nodes.length} node(s) healthy`;
  return { ...counted, ready: true, reason: 'PoolReady', message };
}

function describeIllness({ alive, message }: PoolOnNode): string {
  return alive ? (message ?? 'no reason given') : 'its agent is silent';
}
