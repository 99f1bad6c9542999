import { cut } from '../model/shown.ts';
import type { DiskInPool } from './ports.ts';

/** What the agents say of one pool, each for its node. */
export interface PoolOnNode {
  readonly node: string;
  /** False when the node's agent is silent: what it said last may be long untrue. */
  readonly alive: boolean;
  readonly healthy: boolean;
  readonly message: string | undefined;
  readonly total: number;
  readonly free: number;
  readonly largest: number;
  readonly volumes: number;
  readonly disks?: readonly Pick<DiskInPool, 'id' | 'path' | 'state' | 'message'>[] | undefined;
  readonly warnings?: readonly string[] | undefined;
}

/** A pool on one node, in short. */
export interface NodeState {
  readonly node: string;
  readonly healthy: boolean;
  readonly message?: string;
  readonly total: number;
  readonly free: number;
  readonly largest: number;
  readonly volumes: number;
  /** These three only where the pool is made of disks. */
  readonly disksUsed?: number;
  readonly disksRefused?: number;
  readonly disksMissing?: number;
  readonly warnings?: readonly string[];
}

/** Something that is so, or not, of the whole pool. */
export interface PoolCondition {
  readonly type: 'Ready' | 'DisksRefused' | 'Warnings';
  readonly holds: boolean;
  /** One word for programs. */
  readonly reason: string;
  readonly message: string;
}

export interface PoolSummary {
  readonly nodes: number;
  readonly total: number;
  readonly free: number;
  readonly largest: number;
  readonly volumes: number;
  /** Those first that need somebody; not all of them where there are many. */
  readonly nodeStates: readonly NodeState[];
  /** At most one of a type. */
  readonly conditions: readonly PoolCondition[];
}

const namedThings = 3;
const mostNodeStates = 32;
const mostWarnings = 4;
const longestText = 256;

/** The status of a StoragePool, from what its nodes say. */
export function rollUpPool(nodes: readonly PoolOnNode[]): PoolSummary {
  const sum = (of: (one: PoolOnNode) => number): number => nodes.reduce((n, one) => n + of(one), 0);
  const states = nodes
    .map(toState)
    .sort((a, b) => urgency(a) - urgency(b) || (a.node < b.node ? -1 : 1));
  return {
    nodes: nodes.length,
    total: sum((one) => one.total),
    free: sum((one) => (one.alive ? one.free : 0)),
    largest: Math.max(0, ...states.map(({ largest }) => largest)),
    volumes: sum((one) => one.volumes),
    nodeStates: states.slice(0, mostNodeStates),
    conditions: [ready(nodes), ...disksRefused(nodes), warned(nodes)],
  };
}

/** Ill nodes, then those that want something said, then the others. */
function urgency({ healthy, disksRefused = 0, disksMissing = 0, warnings }: NodeState): number {
  return healthy ? (disksRefused + disksMissing > 0 || warnings ? 1 : 2) : 0;
}

function toState(one: PoolOnNode): NodeState {
  const { node, alive, total, volumes, disks, warnings = [] } = one;
  const healthy = alive && one.healthy;
  const count = (state: DiskInPool['state']): number =>
    disks?.filter((disk) => disk.state === state).length ?? 0;
  return {
    ...{ node, healthy, total, volumes },
    free: alive ? one.free : 0,
    largest: alive ? one.largest : 0,
    ...(!healthy && { message: cut(describeIllness(one), longestText) }),
    ...(disks && {
      disksUsed: count('used') + count('leaving'),
      disksRefused: count('refused'),
      disksMissing: count('missing'),
    }),
    ...(warnings.length > 0 && {
      warnings: warnings.slice(0, mostWarnings).map((text) => cut(text, longestText)),
    }),
  };
}

function ready(nodes: readonly PoolOnNode[]): PoolCondition {
  const type = 'Ready';
  if (nodes.length === 0) {
    const message = 'no node offers this pool: does the nodeSelector match, and do the agents run?';
    return { type, holds: false, reason: 'NoNodes', message };
  }
  const ill = nodes.filter((one) => !one.healthy || !one.alive);
  if (ill.length > 0) {
    const named = firstOf(ill.map((one) => `${one.node}: ${describeIllness(one)}`));
    const message = `${ill.length} of ${nodes.length} nodes unhealthy: ${named}`;
    return { type, holds: false, reason: 'NodesUnhealthy', message };
  }
  return { type, holds: true, reason: 'PoolReady', message: `${nodes.length} node(s) healthy` };
}

/** Says nothing of a pool that is not made of disks. */
function disksRefused(nodes: readonly PoolOnNode[]): readonly PoolCondition[] {
  const type = 'DisksRefused';
  if (!nodes.some(({ disks }) => disks !== undefined)) {
    return [];
  }
  const refused = disksIn('refused', nodes);
  return refused.length === 0
    ? [{ type, holds: false, reason: 'NoneRefused', message: 'every selected disk is used' }]
    : [{ type, holds: true, reason: 'DisksLeftAlone', message: firstOf(refused) }];
}

function warned(nodes: readonly PoolOnNode[]): PoolCondition {
  const type = 'Warnings';
  const missing = disksIn('missing', nodes);
  const warnings = nodes.flatMap(({ node, warnings = [] }) =>
    warnings.map((text) => `${node}: ${text}`),
  );
  if (missing.length + warnings.length === 0) {
    return { type, holds: false, reason: 'NoWarnings', message: 'no node has anything to say' };
  }
  const reason = missing.length > 0 ? 'DisksMissing' : 'NodesWarn';
  return { type, holds: true, reason, message: firstOf([...missing, ...warnings]) };
}

function disksIn(state: DiskInPool['state'], nodes: readonly PoolOnNode[]): readonly string[] {
  return nodes.flatMap(({ node, disks = [] }) =>
    disks
      .filter((disk) => disk.state === state)
      .map(({ id, path, message = state }) => `${node}: ${path ?? 'disk'} (${id}): ${message}`),
  );
}

/** The first texts, and how many there are besides. */
function firstOf(texts: readonly string[]): string {
  const named = texts.slice(0, namedThings).map((text) => cut(text, longestText));
  const more = texts.length > namedThings ? [`and ${texts.length - namedThings} more`] : [];
  return [...named, ...more].join('; ');
}

function describeIllness({ alive, message }: PoolOnNode): string {
  return alive ? (message ?? 'no reason given') : 'its agent is silent';
}
