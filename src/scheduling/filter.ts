import { bytes, formatBytes, sumBytes, type Bytes } from '../model/bytes.ts';
import { deviceBytesFor } from '../model/encryption.ts';
import { hostnameLabel } from '../model/names.ts';
import type { NodeState } from '../model/node.ts';
import { putInto } from '../model/pieces.ts';
import { whyOnlyDevice, type VolumeForm } from '../model/volume.ts';
import type { Room } from './room.ts';
import type { PodNeeds, VolumeNeed } from './needs.ts';
import { matchesTerms, type Labels } from './node-affinity.ts';

/** What is known of one pool of a node. */
export interface PoolFacts {
  readonly healthy: boolean;
  /** Missing where the report cannot be read; `problem` says why. */
  readonly room?: Room | undefined;
  readonly problem?: string | undefined;
  /** What its volumes are. */
  readonly gives: VolumeForm;
  /** Volumes keep the size that they were made with. */
  readonly fixedSize?: boolean;
  /** What a volume of `size` occupies there, overhead included. */
  readonly allocatedFor: (size: Bytes) => Bytes;
}

/** What is known of one node. */
export interface NodeFacts {
  readonly name: string;
  readonly labels: Labels;
  /** False when the node's agent has been silent for too long. */
  readonly alive: boolean;
  readonly state: NodeState;
  readonly poolNames: readonly string[];
  readonly pool: (name: string) => PoolFacts | undefined;
}

/** Why a node cannot take a pod. */
export type Rejection =
  | { readonly kind: 'unknown-node' }
  | { readonly kind: 'pinned'; readonly claim: string }
  | { readonly kind: 'agent-silent' }
  | { readonly kind: 'no-hostname' }
  | { readonly kind: 'no-pool'; readonly pool: string }
  | { readonly kind: 'no-devices'; readonly pool: string; readonly why: string }
  | { readonly kind: 'pool-unhealthy'; readonly pool: string }
  | { readonly kind: 'report-unreadable'; readonly pool: string }
  | ({ readonly kind: 'insufficient' } & Lack)
  | ({ readonly kind: 'fragmented' } & Lack);

interface Lack {
  readonly pool: string;
  /** What the pod asks of the pool, as its claims say it. */
  readonly asked: Bytes;
  /** The same with the backend's overhead. */
  readonly needed: Bytes;
  readonly room: Room;
}

/** What one pool of a node has to give to a pod, and what it keeps. */
export interface PoolFit {
  readonly pool: string;
  readonly needs: readonly VolumeNeed[];
  readonly needed: Bytes;
  readonly room: Room;
}

export type Fit = readonly PoolFit[];

/** `rejection` is set where the node does not fit, `fit` where it does. */
export type Verdict =
  | { readonly fit: Fit; readonly rejection?: undefined }
  | { readonly fit?: undefined; readonly rejection: Rejection };

/** Needs grouped by pool, made once per pod and used for every node. */
export type NeedsByPool = readonly {
  readonly pool: string;
  readonly needs: readonly VolumeNeed[];
}[];

export function groupByPool(volumes: readonly VolumeNeed[]): NeedsByPool {
  const groups = new Map<string, VolumeNeed[]>();
  for (const need of volumes) {
    const group = groups.get(need.pool);
    if (group) {
      group.push(need);
    } else {
      groups.set(need.pool, [need]);
    }
  }
  return [...groups].map(([pool, needs]) => ({ pool, needs }));
}

/**
 * Decides whether one node can hold all new volumes of a pod at the same time, and reach all
 * the volumes that the pod has already.
 *
 * Volumes of one pool are added before the comparison: two of 6Gi do not fit into 10Gi.
 */
export function fitNode(pins: PodNeeds['pins'], groups: NeedsByPool, node: NodeFacts): Verdict {
  for (const pin of pins) {
    const admits =
      pin.kind === 'node'
        ? pin.node === node.name
        : matchesTerms(pin.terms, node.name, node.labels);
    if (!admits) {
      return { rejection: { kind: 'pinned', claim: pin.claim } };
    }
  }
  if (groups.length > 0 && !node.alive) {
    return { rejection: { kind: 'agent-silent' } };
  }
  if (groups.length > 0 && !node.labels[hostnameLabel]) {
    return { rejection: { kind: 'no-hostname' } };
  }
  const fit: PoolFit[] = [];
  for (const { pool, needs } of groups) {
    const verdict = fitPool(pool, needs, node.pool(pool));
    if ('kind' in verdict) {
      return { rejection: verdict };
    }
    fit.push(verdict);
  }
  return { fit };
}

function fitPool(
  pool: string,
  needs: readonly VolumeNeed[],
  facts: PoolFacts | undefined,
): PoolFit | Rejection {
  if (!facts) {
    return { kind: 'no-pool', pool };
  }
  const why = facts.gives === 'directory' ? needs.map(whyOnlyDevice).find(Boolean) : undefined;
  if (why !== undefined) {
    return { kind: 'no-devices', pool, why };
  }
  const { room } = facts;
  if (!room) {
    return { kind: 'report-unreadable', pool };
  }
  if (!facts.healthy) {
    return { kind: 'pool-unhealthy', pool };
  }
  // Plain sums: this runs for every node of the cluster, for every pod.
  let sum = 0;
  let biggest = 0;
  for (const need of needs) {
    const size = facts.allocatedFor(deviceBytesFor(need));
    sum += size;
    biggest = Math.max(biggest, size);
  }
  const needed = bytes(Math.min(sum, Number.MAX_SAFE_INTEGER));
  if (needed > room.free) {
    return lackOf('insufficient', pool, needs, { needed, room });
  }
  if (biggest > room.largest || !findsPieces(room, needs, facts)) {
    return lackOf('fragmented', pool, needs, { needed, room });
  }
  return { pool, needs, needed, room };
}

/** Only pools that are in pieces have to look at each volume by itself. */
function findsPieces(
  { pieces }: Room,
  needs: readonly VolumeNeed[],
  { allocatedFor }: PoolFacts,
): boolean {
  return (
    pieces === undefined ||
    putInto(
      pieces,
      needs.map((need) => allocatedFor(deviceBytesFor(need))),
    ) !== undefined
  );
}

function lackOf(
  kind: 'insufficient' | 'fragmented',
  pool: string,
  needs: readonly VolumeNeed[],
  { needed, room }: { needed: Bytes; room: Room },
): Rejection {
  return { kind, pool, asked: sumBytes(needs.map((need) => need.bytes)), needed, room };
}

/**
 * The reason as kube-scheduler shows it. It adds up equal texts ("3 berth: ...") and cuts long
 * ones, so a text says what was needed and never what one node has.
 */
export function describeRejection(rejection: Rejection): string {
  switch (rejection.kind) {
    case 'unknown-node':
      return 'berth: node is not known yet';
    case 'pinned':
      return `berth: volume of claim ${rejection.claim} is on another node`;
    case 'agent-silent':
      return 'berth: the agent of the node is silent';
    case 'no-hostname':
      return `berth: the node has no label ${hostnameLabel}`;
    case 'no-devices':
      return `berth: pool ${rejection.pool} gives directories, and ${rejection.why} needs a device`;
    case 'insufficient':
      return `berth: less than ${formatBytes(rejection.asked)} free in pool ${rejection.pool}`;
    case 'fragmented':
      return `berth: no single piece large enough for ${formatBytes(rejection.asked)} in pool ${rejection.pool}`;
    default:
      return describePool(rejection);
  }
}

type PoolRejection = Extract<
  Rejection,
  { kind: 'no-pool' | 'pool-unhealthy' | 'report-unreadable' }
>;

function describePool({ kind, pool }: PoolRejection): string {
  switch (kind) {
    case 'no-pool':
      return `berth: no pool ${pool} on the node`;
    case 'pool-unhealthy':
      return `berth: pool ${pool} is not healthy`;
    case 'report-unreadable':
      return `berth: the report of pool ${pool} cannot be read`;
  }
}
