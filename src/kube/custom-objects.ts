import type { CleanRequest, DiscoveredEntry } from '../model/discovery.ts';
import type { VolumeEncryption } from '../model/encryption.ts';
import type { IoLimits } from '../model/io-limits.ts';
import type { Health } from '../model/health.ts';
import type { ErasePolicy, FsType, VolumeMode, VolumePhase } from '../model/volume.ts';
import type { DeviceHealth } from '../usecases/health-ports.ts';
import type { ObjectMeta } from './objects.ts';

/** The custom objects as they stand in JSON; manifests/base/crds holds their schemas. */

export interface LoopSource {
  directory: string;
  /** A quantity: all that volumes may occupy together. */
  size: string;
  allocation?: 'preallocated' | 'sparse';
}

/** Which disks of a node a pool may take: patterns in which `*` stands for any text. */
export interface Devices {
  ids?: string[];
  paths?: string[];
  models?: string[];
  transports?: string[];
  rotational?: boolean;
  /** Quantities. */
  minSize?: string;
  maxSize?: string;
}

export interface StoragePoolObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta & { name: string };
  spec: {
    /** Labels that a node must have; all nodes where it is empty. */
    nodeSelector?: Record<string, string>;
    backend: string;
    loop?: LoopSource;
    /** Read and checked where it is used. */
    discovery?: object;
    devices?: Devices;
    /** A quantity, or a share such as `10%`: room on each node that no volume gets. */
    reserve?: string | number;
    /** How many volumes one node may have in it. */
    maxVolumes?: number;
    /** What becomes of things in the pool that nobody asks for; `keepFor` is 7 days where not given. */
    orphans?: { keepFor?: string };
  };
  status?: {
    nodes?: number;
    total?: number;
    free?: number;
    /** Of any node. */
    largest?: number;
    volumes?: number;
    /** Not of all nodes where there are many: those first that need somebody. */
    nodeStates?: PoolNodeState[];
    conditions?: Condition[];
  };
}

/** A pool on one node, in short. */
export interface PoolNodeState {
  node: string;
  healthy: boolean;
  message?: string;
  total: number;
  free: number;
  largest: number;
  volumes: number;
  disksUsed?: number;
  disksRefused?: number;
  disksMissing?: number;
  warnings?: string[];
}

export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason: string;
  message: string;
  lastTransitionTime: string;
  observedGeneration?: number;
}

export interface PoolStatusOnNode {
  name: string;
  backend: string;
  healthy: boolean;
  /** Why the pool is not healthy. */
  message?: string;
  total: number;
  free: number;
  largest: number;
  /** The free pieces, where each volume lies in one. */
  pieces?: { sizes: number[]; whole: boolean };
  volumes: number;
  /** What became of the disks that it may take. */
  disks?: PoolDiskStatus[];
  /** The device files it lies on. */
  under?: string[];
  /** What somebody should know although it is healthy. */
  warnings?: string[];
  /** What lies behind the promises of a thin pool. */
  thin?: ThinStatus;
}

export interface ThinStatus {
  physical: number;
  committed: number;
  overcommit: number;
  usedPercent: number;
  metadataUsedPercent: number;
}

export interface PoolDiskStatus {
  id: string;
  path?: string;
  bytes: number;
  state: 'used' | 'refused' | 'leaving' | 'missing';
  message?: string;
}

/** One disk of a node. */
export interface Device {
  id: string;
  /** False where `id` says only where the disk is now. */
  stable: boolean;
  path: string;
  links?: string[];
  model?: string;
  serial?: string;
  wwn?: string;
  bytes: number;
  sectorBytes: number;
  rotational: boolean;
  transport?: string;
  readOnly: boolean;
  removable: boolean;
  partitionTable?: string;
  partitions?: { path: string; bytes: number; signature?: string }[];
  signature?: string;
  holders?: string[];
  mountPoints?: string[];
  /** The pool that has it. */
  pool?: string;
  /** Whether a pool may take it. */
  available: boolean;
  /** Why not. */
  reason?: string;
}

export interface Orphan {
  pool: string;
  name: string;
  bytes: number;
  reason: string;
  since: string;
  /** The uid of the LocalVolume it was made for; missing for what has no readable one. */
  volumeUid?: string | undefined;
  /** What a claim can have of it; missing where that cannot be read. */
  usableBytes?: number | undefined;
  /** When it is erased and removed; missing where that is not going to happen by itself. */
  removedAt?: string | undefined;
}

/** Something on the node's disks that has to go, although no LocalVolume speaks of it any more. */
export interface PurgeEntry {
  pool: string;
  name: string;
  /** Missing for what has no readable one. */
  volumeUid?: string;
  erase: ErasePolicy;
  reason: string;
  requestedAt: string;
}

export interface StorageNodeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta & { name: string };
  spec?: { purge?: PurgeEntry[]; clean?: CleanRequest[] };
  status?: {
    machineID?: string;
    agentVersion?: string;
    generation?: number;
    pools?: PoolStatusOnNode[];
    orphans?: Orphan[];
    devices?: Device[];
    /** The devices under the pools with which something is wrong. */
    health?: DeviceHealth[];
    discovered?: DiscoveredPoolObject[];
  };
}

/** What was found for a pool of the backend `discovery`. */
export interface DiscoveredPoolObject {
  pool: string;
  healthy: boolean;
  message?: string;
  entries: (Omit<DiscoveredEntry, 'bytes'> & { bytes: number })[];
}

export interface LocalVolumeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta & { name: string };
  spec: {
    node: string;
    pool: string;
    bytes: number;
    volumeMode: VolumeMode;
    fsType: FsType;
    claimRef: { namespace: string; name: string; uid: string };
    erase: ErasePolicy;
    onNodeLost?: string;
    /** How fast each pod may use it. */
    ioLimits?: IoLimits | undefined;
    /** How it is encrypted; missing where it is not. */
    encryption?: VolumeEncryption | undefined;
    onDiskFailure?: string;
    /** Words for the mkfs program. */
    mkfsOptions?: readonly string[] | undefined;
    /** What is on the disk already and becomes this volume. */
    adopts?: { name: string; volumeUid: string } | undefined;
  };
  status?: {
    phase?: VolumePhase;
    path?: string;
    allocatedBytes?: number;
    /** The usable size now; less than `spec.bytes` while the volume grows. */
    bytes?: number;
    /** The first report of the node in which this volume is counted. */
    generation?: number;
    message?: string;
    /** How the bytes were erased, just before the volume goes. */
    erased?: { policy: ErasePolicy; at: string; result: string };
    /** Whether the limits hold for the pods that use it now. */
    ioLimits?: { applied: boolean; pods: number; message?: string };
    /** What is wrong with what it lies on. */
    health?: Health;
  };
}
