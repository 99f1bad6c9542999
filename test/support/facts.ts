import { bytes, type Bytes } from '../../src/model/bytes.ts';
import type { Claim, VolumeClass } from '../../src/model/claim.ts';
import { provisioner, volumeName } from '../../src/model/names.ts';
import type { NodeState } from '../../src/model/node.ts';
import type { Pod } from '../../src/model/pod.ts';
import type { LocalVolume } from '../../src/model/volume.ts';
import type { NodeFacts, PoolFacts } from '../../src/scheduling/filter.ts';
import type { Room } from '../../src/scheduling/room.ts';
import type { VolumeNeed } from '../../src/scheduling/needs.ts';
import type { PersistentVolume } from '../../src/usecases/cluster.ts';

/** Facts as the decisions read them: usual ones, changed where a test says so. */

export const asAsked = (size: Bytes): Bytes => size;

/** Room for `free` more, in one piece where `largest` is not given. */
export function room(free: number, { total = 1000, largest = free } = {}): Room {
  return { total: bytes(total), free: bytes(free), largest: bytes(largest), inFlight: bytes(0) };
}

export function poolFacts(free: number, change: Partial<PoolFacts> = {}): PoolFacts {
  return { healthy: true, room: room(free), gives: 'device', allocatedFor: asAsked, ...change };
}

export const readyNode: NodeState = { ready: 'True', said: '', unschedulable: false };

export function nodeFacts(
  name: string,
  pools: Readonly<Record<string, PoolFacts>>,
  change: Partial<NodeFacts> = {},
): NodeFacts {
  return {
    name,
    labels: { 'kubernetes.io/hostname': name },
    alive: true,
    state: readyNode,
    poolNames: Object.keys(pools),
    pool: (pool) => pools[pool],
    ...change,
  };
}

export function need(size: number, change: Partial<VolumeNeed> = {}): VolumeNeed {
  return {
    claimUid: 'uid-data',
    claim: 'shop/data',
    pool: 'fast',
    placement: 'spread',
    bytes: bytes(size),
    volumeMode: 'Filesystem',
    ...change,
  };
}

/** A pod of the namespace `shop` that uses `claims`. */
export function aPod(name: string, claims: readonly string[], change: Partial<Pod> = {}): Pod {
  return {
    namespace: 'shop',
    name,
    uid: `uid-${name}`,
    schedulerName: 'berth-scheduler',
    nodeName: '',
    nominatedNode: '',
    seenByScheduler: false,
    priority: 0,
    deleting: false,
    createdAt: 0,
    toleratesCordon: false,
    claims: claims.map((claim) => ({ name: claim })),
    ...change,
  };
}

/** An unbound claim of the namespace `shop`. */
export function aClaim(name: string, size: number, change: Partial<Claim> = {}): Claim {
  return {
    ref: { namespace: 'shop', name, uid: `uid-${name}` },
    resourceVersion: '1',
    requested: { ok: true, value: bytes(size) },
    capacity: undefined,
    isResizing: false,
    className: 'fast',
    volumeName: '',
    volumeMode: 'Filesystem',
    accessModes: ['ReadWriteOnce'],
    hasSelector: false,
    lost: false,
    deleting: false,
    selectedNode: '',
    ownerPod: undefined,
    ...change,
  };
}

/** A class of ours whose volumes come from the pool of the same name. */
export function aClass(name: string, change: Partial<VolumeClass> = {}): VolumeClass {
  return {
    name,
    provisioner,
    waitsForPod: true,
    reclaimPolicy: 'Delete',
    mountOptions: [],
    parameters: {
      ok: true,
      value: {
        pool: name,
        placement: 'spread',
        fsType: 'ext4',
        erase: 'discard',
        onNodeLost: 'keep',
        onDiskFailure: 'keep',
      },
    },
    ...change,
  };
}

/** The LocalVolume of a claim, just made. */
export function aVolume(
  claim: Claim,
  node: string,
  change: Partial<Omit<LocalVolume, 'spec'>> & {
    readonly spec?: Partial<LocalVolume['spec']>;
  } = {},
): LocalVolume {
  const { spec, ...rest } = change;
  return {
    name: volumeName(claim.ref.uid),
    uid: `volume-${claim.ref.uid}`,
    resourceVersion: '1',
    status: { phase: 'Pending' },
    deleting: false,
    heldByControl: true,
    heldByAgent: true,
    published: false,
    ...rest,
    spec: {
      node,
      pool: 'fast',
      bytes: claim.requested.ok ? claim.requested.value : bytes(0),
      volumeMode: claim.volumeMode,
      fsType: 'ext4',
      claimRef: claim.ref,
      erase: 'discard',
      ...spec,
    },
  };
}

/** The PersistentVolume of a claim, reachable from `node` only. */
export function aPersistentVolume(
  claim: Claim,
  node: string,
  change: Partial<PersistentVolume> = {},
): PersistentVolume {
  return {
    name: volumeName(claim.ref.uid),
    uid: `pv-${claim.ref.uid}`,
    resourceVersion: '1',
    phase: 'Bound',
    claimUid: claim.ref.uid,
    reclaimPolicy: 'Delete',
    ours: true,
    heldByControl: true,
    deleting: false,
    capacity: claim.requested.ok ? claim.requested.value : undefined,
    terms: [
      { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] },
    ],
    ...change,
  };
}
