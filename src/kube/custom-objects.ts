import type { CleanRequest, DiscoveredEntry } from '../model/discovery.ts';
import type { ErasePolicy, FsType, VolumeMode, VolumePhase } from '../model/volume.ts';
import type { ObjectMeta } from './objects.ts';

/** The custom objects as they stand in JSON; manifests/base/crds holds their schemas. */

export interface LoopSource {
  directory: string;
  /** A quantity: all that volumes may occupy together. */
  size: string;
  allocation?: 'preallocated' | 'sparse';
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
    /** What becomes of things in the pool that nobody asks for; `keepFor` is 7 days where not given. */
    orphans?: { keepFor?: string };
  };
  status?: {
    nodes?: number;
    total?: number;
    free?: number;
    volumes?: number;
    conditions?: Condition[];
  };
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
  volumes: number;
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
    /** What is on the disk already and becomes this volume. */
    adopts?: { name: string; volumeUid: string } | undefined;
  };
  status?: {
    phase?: VolumePhase;
    path?: string;
    allocatedBytes?: number;
    /** The first report of the node in which this volume is counted. */
    generation?: number;
    message?: string;
    /** How the bytes were erased, just before the volume goes. */
    erased?: { policy: ErasePolicy; at: string; result: string };
  };
}
