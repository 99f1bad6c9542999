import type { Bytes } from '../model/bytes.ts';
import { PermanentError } from '../model/errors.ts';
import type { Pieces } from '../model/pieces.ts';
import type { ErasePolicy, VolumeIdentity } from '../model/volume.ts';

/** Where events of the program's own running go. The event is a fixed text, data goes into fields. */
export interface Log {
  info(event: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields?: Readonly<Record<string, unknown>>): void;
  error(event: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Time, so that decisions and tests share one view of it. Milliseconds since the epoch. */
export type Now = () => number;

/** An object that a person would look at, for events. */
export interface ObjectRef {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly uid?: string | undefined;
}

/**
 * Tells people about an object. Repeating the same text for the same object within minutes
 * counts as one event. Never throws: a lost event must not stop the work it speaks of.
 */
export interface EventSink {
  normal(about: ObjectRef, reason: string, message: string): void;
  warning(about: ObjectRef, reason: string, message: string): void;
}

/** What a pool of one node holds, as its backend measures it. */
export interface PoolUsage {
  /** All that volumes may occupy together, overhead included. */
  readonly total: Bytes;
  /** What volumes that exist occupy. */
  readonly allocated: Bytes;
  /** What the next volumes can still get: never more than the medium under it really has. */
  readonly free: Bytes;
  /** The biggest volume (its usable size plus overhead) that can be made now. */
  readonly largest: Bytes;
  /** Missing where a volume can be joined from all that is free. */
  readonly pieces?: Pieces | undefined;
  /** The names of the volumes that these numbers count: no other one, and each of them. */
  readonly volumes: readonly string[];
  /** What became of the disks that the pool may take; missing for pools that take none. */
  readonly disks?: readonly DiskInPool[];
  /** The device files it lies on, where that is neither a directory nor only `disks`. */
  readonly under?: readonly string[];
  /** Why it is unhealthy although its volumes are known: nothing can be made until somebody mends it. */
  readonly problem?: string;
  /** What somebody should know although volumes can be made. */
  readonly warnings?: readonly string[];
  /** Where volumes are promised more than there may be. */
  readonly thin?: ThinUsage;
}

/** What lies behind the promises of a thin pool. */
export interface ThinUsage {
  /** What volumes can really write, all together. */
  readonly physical: Bytes;
  /** What they have written. */
  readonly used: Bytes;
  /** The sizes of all volumes. */
  readonly committed: Bytes;
  /** How often `physical` may be committed. */
  readonly overcommit: number;
  /** The part of the metadata in use, 0 to 1. */
  readonly metadataUsed: number;
}

/** One disk from the view of a pool. */
export interface DiskInPool {
  readonly id: string;
  /** Missing where the disk itself is missing. */
  readonly path?: string | undefined;
  readonly bytes: Bytes;
  /**
   * `used`: the pool's own. `refused`: selected, and left as it is. `leaving`: no longer selected,
   * and kept because volumes are on it. `missing`: a part of the pool that is not there.
   */
  readonly state: 'used' | 'refused' | 'leaving' | 'missing';
  /** Why it is refused or missing. */
  readonly message?: string | undefined;
}

/** A pool cannot be used as declared; the text names the field, its value and what is allowed. */
export class PoolUnusableError extends PermanentError {
  override readonly name = 'PoolUnusableError';
}

/** What stands under a volume's name is not that volume: it is left as it is. */
export class ForeignVolumeError extends PermanentError {
  override readonly name = 'ForeignVolumeError';
}

/** A cut that exists on this node. */
export interface BackendVolume extends VolumeIdentity {
  /** The usable size. */
  readonly bytes: Bytes;
  /** What it occupies of the pool, overhead included. */
  readonly allocatedBytes: Bytes;
}

/** Something in the pool that has the form of a volume and cannot be recognised as one of it. */
export interface Stray {
  readonly name: string;
  readonly bytes: Bytes;
  readonly reason: string;
  /** The volume it says it is, where it says anything: not proven, and a warning all the same. */
  readonly says?: VolumeIdentity | undefined;
}

export interface PoolInventory {
  readonly volumes: readonly BackendVolume[];
  /** Never attached, and removed only when somebody asks for it by name. */
  readonly strays: readonly Stray[];
}

/** What to make. */
export interface VolumeRequest extends VolumeIdentity {
  readonly bytes: Bytes;
}

/**
 * One way of cutting volumes from local space: loop file, LVM, partition, btrfs, directory.
 *
 * An instance serves one pool of one node. Calls may be repeated after a crash, so each one
 * states the wanted end and succeeds when that end is reached already. Calls for one volume
 * never overlap; calls for several may, and a backend puts them in a row where it must. Names
 * are safe in a path: the caller has checked them.
 *
 * Every call throws PoolUnusableError when the pool cannot be used as declared.
 */
export interface StorageBackend {
  usage(signal: AbortSignal): Promise<PoolUsage>;

  /** Everything in the pool that has the form of a volume, asked for or not. */
  list(signal: AbortSignal): Promise<PoolInventory>;

  /**
   * The volume as it stands on disk, or nothing where it is not there.
   * @throws ForeignVolumeError when something else stands under its name
   */
  find(identity: VolumeIdentity, signal: AbortSignal): Promise<BackendVolume | undefined>;

  /**
   * Makes sure that the volume exists with at least `bytes` of usable size.
   * @throws NoSpaceError when the pool cannot hold it; nothing is left behind then
   * @throws ForeignVolumeError as `find`
   */
  ensure(request: VolumeRequest, signal: AbortSignal): Promise<BackendVolume>;

  /**
   * Makes sure that the volume, which is there, has at least `bytes` of usable size, and that its
   * device shows them where it is attached, also to a pod that uses it now. What is in it stays,
   * the new part reads as a new volume would; it never shrinks. Stopped at any moment it has the old size or
   * the new one, to everybody who looks; asking again finishes it.
   *
   * @throws NoSpaceError when the pool cannot hold the rest; the volume is as it was then
   * @throws ForeignVolumeError as `find`
   * @throws Error when it is not there; nothing is made in its place
   */
  grow(request: VolumeRequest, signal: AbortSignal): Promise<BackendVolume>;

  /**
   * Makes the volume `from` into the volume `to`: name and uid change, its data does not. Stopped
   * at any moment, it is one or the other to everybody who looks after the next start.
   *
   * @throws ForeignVolumeError when neither is there, when it is smaller than `to` asks, or when
   * something else stands under the name of either
   * @throws Error while somebody still uses it; try again later
   */
  adopt(from: VolumeIdentity, to: VolumeRequest, signal: AbortSignal): Promise<BackendVolume>;

  /**
   * Makes sure that the volume can be used by kubelet, after a reboot too.
   * @returns the path for the PersistentVolume, the same for the whole life of the volume
   * @throws ForeignVolumeError as `find`
   */
  attach(identity: VolumeIdentity, signal: AbortSignal): Promise<string>;

  /**
   * Makes sure that the volume's bytes are erased as asked, it is gone and its space is free.
   * A namesake with another uid stays: the volume that was asked for is gone already.
   * @returns what was done to the bytes, for people; nothing where the volume was gone already
   * @throws ForeignVolumeError when nobody can tell whose the thing under its name is
   * @throws Error while somebody still uses it; try again later
   */
  remove(
    identity: VolumeIdentity,
    erase: ErasePolicy,
    signal: AbortSignal,
  ): Promise<string | undefined>;

  /**
   * The same for a stray, which has nothing but its name.
   * @throws ForeignVolumeError when a volume has that name, or it is nothing to be removed blindly
   */
  removeStray(name: string, erase: ErasePolicy, signal: AbortSignal): Promise<string | undefined>;
}
