import type { Bytes } from './bytes.ts';
import { fnv1a64 } from './label-value.ts';
import type { VolumeMode } from './volume.ts';

/**
 * Pools of the backend `discovery` cut nothing: each entry of a directory is one medium, and one
 * whole PersistentVolume.
 */
export const discoveryBackend = 'discovery';

export const filesystemCleanings = ['delete', 'none'] as const;
export const deviceCleanings = ['discard', 'zero', 'quick', 'none'] as const;
export type FilesystemCleaning = (typeof filesystemCleanings)[number];
export type DeviceCleaning = (typeof deviceCleanings)[number];

/** What the block `discovery` of a StoragePool says. */
export interface DiscoveryPlan {
  readonly directory: string;
  /** Which names in the directory count: a pattern of the shell. */
  readonly namePattern: string;
  readonly storageClassName: string;
  /** What a device is offered as; a mounted filesystem is always `Filesystem`. */
  readonly volumeMode: VolumeMode;
  /** What kubelet makes on an empty device; Kubernetes' own choice where missing. */
  readonly fsType?: string | undefined;
  /** Those of the class where missing. */
  readonly mountOptions?: readonly string[] | undefined;
  readonly clean: { readonly filesystem: FilesystemCleaning; readonly device: DeviceCleaning };
  /** PersistentVolumes that the local static provisioner made here are looked after, too. */
  readonly takeOver: boolean;
}

export interface DiscoveryPool {
  readonly name: string;
  readonly plan: DiscoveryPlan;
}

/** The last cleaning of a medium, and for which PersistentVolume it was. */
export interface Cleaned {
  readonly volumeUid: string;
  readonly at: string;
  readonly result: string;
}

/** One entry of a discovery directory, as its agent tells of it. */
export interface DiscoveredEntry {
  /** In the directory. */
  readonly name: string;
  readonly path: string;
  /** What the medium is known by wherever it turns up; missing where there is none. */
  readonly id?: string | undefined;
  readonly bytes: Bytes;
  readonly mode: VolumeMode;
  /** `cleaning` from the moment that this is asked for, whether it has begun or not. */
  readonly state: 'available' | 'cleaning' | 'refused';
  /** Why it is refused, or not clean yet. */
  readonly message?: string | undefined;
  /** Somebody has it mounted or open: right for one that is bound, and no start for a new one. */
  readonly busy?: boolean | undefined;
  readonly cleaned?: Cleaned | undefined;
}

/** All that was found for one pool of one node. */
export interface DiscoveredPool {
  readonly pool: string;
  /** False where the directory could not be read: then nothing is known of its entries. */
  readonly healthy: boolean;
  readonly message?: string | undefined;
  readonly entries: readonly DiscoveredEntry[];
}

/** A medium that has to be cleaned before anybody gets it again. */
export interface CleanRequest {
  readonly pool: string;
  readonly id: string;
  /** The PersistentVolume it was; its uid makes the request one of its kind. */
  readonly volume: string;
  readonly volumeUid: string;
  readonly requestedAt: string;
}

/** More would not fit into a StorageNode. */
export const maxEntries = 512;

/** The name of a medium's PersistentVolume: one name, so that the API server lets no second one be. */
export function mediumVolumeName(node: string, id: string): string {
  return `disk-${fnv1a64(`${node}\n${id}`)}`;
}

/** Whether a medium of that id can turn up on another node: others are known by where they are. */
export function canMove(id: string): boolean {
  return !/^(loop|mount)-/.test(id);
}

/** An id that fits everywhere: a long one is cut and made unique by a hash of the whole. */
export function boundedId(id: string): string {
  return id.length <= maxIdLength ? id : `${id.slice(0, maxIdLength - 17)}-${fnv1a64(id)}`;
}

const maxIdLength = 200;
