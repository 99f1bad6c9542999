import type { Bytes } from '../model/bytes.ts';
import type { Disk, Partition } from '../model/disk.ts';
import type { Health } from '../model/health.ts';
import type { Pieces } from '../model/pieces.ts';
import type {
  ErasePolicy,
  FsType,
  LocalVolume,
  VolumeIdentity,
  VolumeStatus,
} from '../model/volume.ts';
import type { DeviceHealth } from './health-ports.ts';
import type { DiskInPool } from './ports.ts';

/** The LocalVolumes of this node. */
export interface NodeVolumes {
  get(name: string): LocalVolume | undefined;
  /** Live: memory can be behind what this agent itself has written. */
  read(name: string): Promise<LocalVolume | undefined>;
  list(): readonly LocalVolume[];
  /** Writes only what differs; nothing where nothing does. The volume's health is left as it is. */
  setStatus(volume: LocalVolume, status: VolumeStatus): Promise<void>;
  /** Writes what is wrong with what the volume lies on; takes it away where all is well. */
  setHealth(volume: LocalVolume, health: Health | undefined): Promise<void>;
  /** Gives up the agent's hold: nothing of the volume is on disk any more. */
  release(volume: LocalVolume): Promise<void>;
}

type Texts = Readonly<Record<string, string>>;

/** What is in the devices of this node. */
export interface Filesystems {
  /**
   * Makes sure that the filesystem of a volume fills its device, whether a pod has it mounted or
   * not. A device without one needs nothing, and neither does a directory. May be repeated.
   * @throws Error when it cannot be done now; the data is as it was
   */
  grow(path: string, signal: AbortSignal): Promise<void>;
  /**
   * Looks whether the kernel of this node can mount what a device is going to hold. A directory holds no filesystem.
   * @throws PermanentError when it does not know this one, and finds no module that does
   */
  refuseUnknown(path: string, fsType: FsType, signal: AbortSignal): Promise<void>;
  /**
   * Whether a device shows nothing of whoever had its space before: both its ends read as zeros. A
   * directory has no ends, and counts as blank.
   */
  isBlank(path: string): Promise<boolean>;
  /**
   * Writes zeros over both ends of a device, whatever is there. May be repeated.
   * @throws Error while anybody uses the device, be it a mkfs that an agent has left running
   */
  blank(path: string, signal: AbortSignal): Promise<void>;
  /**
   * Makes a filesystem on a blank device, and mounts it once to see that the kernel takes it.
   * Stopped on the way it leaves a device that is not blank.
   *
   * @param options - words for the mkfs program, after those that kubelet would give
   * @throws PermanentError where the program is missing, or with what it, or the kernel, had to say
   * @throws Error while anybody uses the device
   */
  make(
    path: string,
    wanted: { readonly fsType: FsType; readonly options: readonly string[] },
    signal: AbortSignal,
  ): Promise<void>;
  /** Takes away what an agent that was killed has left mounted. */
  unmountLeft(): Promise<void>;
}

/** What the Node object shows now. */
export interface ShownNode {
  readonly labels: Texts;
  readonly annotations: Texts;
}

/** Keys to set, or to take away where the value is null; all others stay as they are. */
export interface NodeChange {
  readonly labels: Readonly<Record<string, string | null>>;
  readonly annotations: Readonly<Record<string, string | null>>;
}

/** This node's own Node object. */
export interface NodeBoard {
  /** Nothing where the Node does not exist. */
  shown(): ShownNode | undefined;
  publish(change: NodeChange): Promise<void>;
}

/** One pool as it stands in the StorageNode. */
export interface PoolStanding {
  readonly name: string;
  readonly backend: string;
  readonly healthy: boolean;
  /** Why it is not healthy. */
  readonly message?: string | undefined;
  readonly total: Bytes;
  readonly free: Bytes;
  readonly largest: Bytes;
  readonly pieces?: Pieces | undefined;
  /** How many volumes are on disk. */
  readonly volumes: number;
  /** What became of the disks that it may take; missing for a pool that takes none. */
  readonly disks?: readonly DiskInPool[] | undefined;
  /** The device files it lies on, where that is neither a directory nor only `disks`. */
  readonly under?: readonly string[] | undefined;
  /** What somebody should know although it is healthy. */
  readonly warnings?: readonly string[] | undefined;
  readonly thin?: ThinStanding | undefined;
}

/** What lies behind the promises of a thin pool; whole percents, so that it is not told anew with every write. */
export interface ThinStanding {
  /** What volumes can really write, all together. */
  readonly physical: Bytes;
  /** The sizes of all volumes. */
  readonly committed: Bytes;
  /** How often `physical` may be committed. */
  readonly overcommit: number;
  readonly usedPercent: number;
  readonly metadataUsedPercent: number;
}

/** One disk of the node as it stands in the StorageNode. */
export interface DeviceStanding {
  readonly id: string;
  /** False where `id` says only where the disk is now. */
  readonly stable: boolean;
  readonly path: string;
  readonly links: readonly string[];
  readonly model?: string | undefined;
  readonly serial?: string | undefined;
  readonly wwn?: string | undefined;
  readonly bytes: Bytes;
  readonly sectorBytes: number;
  readonly rotational: boolean;
  readonly transport?: string | undefined;
  readonly readOnly: boolean;
  readonly removable: boolean;
  readonly partitionTable?: string | undefined;
  readonly partitions: readonly Partition[];
  readonly signature?: string | undefined;
  readonly holders: readonly string[];
  readonly mountPoints: readonly string[];
  /** The pool of ours that has it. */
  readonly pool?: string | undefined;
  /** Whether a pool may take it, as far as can be told without reading it. */
  readonly available: boolean;
  /** Why not. */
  readonly reason?: string | undefined;
}

/** The disks of this node. */
export interface NodeDisks {
  /** As they are now. Costs nothing where nothing has changed since the last call. */
  list(): Promise<readonly Disk[]>;
}

/** Something on disk that no LocalVolume asks for; `since` is when it was first seen so. */
export interface OrphanStanding {
  readonly pool: string;
  readonly name: string;
  readonly bytes: Bytes;
  readonly reason: string;
  readonly since: string;
  /** Missing for a stray: it has none that can be trusted. */
  readonly volumeUid?: string | undefined;
  /** What a claim can have of it. */
  readonly usableBytes?: Bytes | undefined;
  /** When it is erased and removed; missing where that never happens by itself. */
  readonly removedAt?: string | undefined;
}

/** Something on disk that others want gone, although no LocalVolume speaks of it. */
export interface PurgeRequest {
  readonly pool: string;
  readonly name: string;
  /** Missing for a stray. */
  readonly volumeUid?: string | undefined;
  readonly erase: ErasePolicy;
  readonly reason: string;
  readonly requestedAt: string;
}

/** What the StorageNode asks to be purged. */
export interface PurgeRequests {
  /** By `orphanKey`. */
  get(key: string): PurgeRequest | undefined;
  list(): readonly PurgeRequest[];
  /** Takes the request away, and no other. May be repeated. */
  done(request: PurgeRequest): Promise<void>;
}

/** Who asks for something on disk, as the API server knows it now. */
export interface LiveOwners {
  /**
   * A LocalVolume of any node that is, or that adopts, one of these; an identity without a uid
   * is every volume of its name.
   */
  find(identities: readonly VolumeIdentity[]): Promise<LocalVolume | undefined>;
}

export interface NodeStanding {
  readonly generation: number;
  readonly pools: readonly PoolStanding[];
  readonly orphans: readonly OrphanStanding[];
  readonly devices: readonly DeviceStanding[];
  /** The devices under its pools that are not well. */
  readonly health?: readonly DeviceHealth[] | undefined;
}

/** This node's StorageNode. */
export interface StandingStore {
  /** Writes only when something differs from what was written last. */
  write(standing: NodeStanding): Promise<void>;
}

/** What is counted for those who run the node. */
export interface NodeMeter {
  timed<T>(
    operation: 'create' | 'adopt' | 'attach' | 'format' | 'grow' | 'remove',
    work: () => Promise<T>,
  ): Promise<T>;
  /** @param lost - per pool, how many of its volumes have vanished */
  pools(
    standing: NodeStanding,
    allocated: ReadonlyMap<string, Bytes>,
    lost: ReadonlyMap<string, number>,
  ): void;
}
