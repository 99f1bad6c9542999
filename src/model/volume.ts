import { bytes, formatBytes, KiB, MiB, type Bytes } from './bytes.ts';
import type { VolumeEncryption } from './encryption.ts';
import type { Health } from './health.ts';
import type { IoLimits } from './io-limits.ts';
import type { OnNodeLost } from './node-loss.ts';

export const volumeModes = ['Filesystem', 'Block'] as const;
export type VolumeMode = (typeof volumeModes)[number];

/** What the volumes of a pool are on their node: a directory can never be used as `Block`. */
export type VolumeForm = 'device' | 'directory';

/** What of a volume no directory can keep, or nothing where it may be one. */
export function whyOnlyDevice(asked: {
  readonly volumeMode: VolumeMode;
  readonly ioLimits?: IoLimits | undefined;
  readonly mkfsOptions?: readonly string[] | undefined;
  readonly encryption?: VolumeEncryption | undefined;
}): string | undefined {
  if (asked.volumeMode === 'Block') {
    return 'volumeMode Block';
  }
  if (asked.mkfsOptions !== undefined) {
    return 'mkfsOptions';
  }
  if (asked.encryption !== undefined) {
    return `encryption ${asked.encryption.type}`;
  }
  return asked.ioLimits === undefined ? undefined : 'a limit for reading or writing';
}

export const fsTypes = ['ext4', 'xfs', 'btrfs'] as const;
export type FsType = (typeof fsTypes)[number];

/** What the programs that make them need at least, with e2fsprogs 1.47, xfsprogs 5.19 and btrfs-progs 6. */
const leastNew: Readonly<Record<FsType, Bytes>> = {
  ext4: bytes(128 * KiB),
  xfs: bytes(300 * MiB),
  btrfs: bytes(109 * MiB),
};

/** Why no new volume on a device can have this size; nothing where it can. */
export function whyTooSmall(
  size: Bytes,
  { volumeMode, fsType }: Pick<VolumeSpec, 'volumeMode' | 'fsType'>,
): string | undefined {
  const least = leastNew[fsType];
  return volumeMode === 'Filesystem' && size < least
    ? `${formatBytes(size)} are asked, and fsType ${fsType} needs ${formatBytes(least)} or more`
    : undefined;
}

/** The kernel refuses to bring a btrfs to less, also when that is more than it has. */
const leastGrownBtrfs = bytes(256 * MiB);

/** Why a volume must not be made to grow to a size; nothing where it may. */
export function whyNotGrownTo(
  size: Bytes,
  { volumeMode, fsType }: Pick<VolumeSpec, 'volumeMode' | 'fsType'>,
): string | undefined {
  const isTooSmall = volumeMode === 'Filesystem' && fsType === 'btrfs' && size < leastGrownBtrfs;
  return isTooSmall
    ? `a btrfs can grow to ${formatBytes(leastGrownBtrfs)} and more, ${formatBytes(size)} are asked`
    : undefined;
}

/** What happens to the bytes of a volume that is given up. */
export const erasePolicies = ['discard', 'zero', 'none'] as const;
export type ErasePolicy = (typeof erasePolicies)[number];

/** Points at the one claim that a volume was made for; the uid tells it from a namesake. */
export interface ClaimRef {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/**
 * Where the agent is with a volume.
 *
 *     (none) -> Ready -> (gone)        the usual life
 *     (none) -> Failed                 could not be made: `message` says why; what was begun goes with it
 *     Ready  -> Lost                   made once, and its disk has vanished; never made anew
 */
export type VolumePhase = 'Pending' | 'Ready' | 'Failed' | 'Lost';

/** What tells one volume from every other, on disk too. */
export interface VolumeIdentity {
  readonly name: string;
  /** The uid of the LocalVolume it was made for; tells it from a namesake. */
  readonly volumeUid: string;
}

/** How the bytes of a volume were erased, before the volume went. */
export interface Erasure {
  readonly policy: ErasePolicy;
  readonly at: string;
  /** What was done, or why it could not be. */
  readonly result: string;
}

/** What control writes, once; only `bytes` grows, when the claim does. */
export interface VolumeSpec {
  readonly node: string;
  readonly pool: string;
  /** What the claim has been promised: the usable size of the device. */
  readonly bytes: Bytes;
  readonly volumeMode: VolumeMode;
  readonly fsType: FsType;
  readonly claimRef: ClaimRef;
  readonly erase: ErasePolicy;
  /** Missing where it was made before this could be asked for: it is kept. */
  readonly onNodeLost?: OnNodeLost;
  /** How fast each pod may use it; missing where nothing limits it. */
  readonly ioLimits?: IoLimits | undefined;
  /** Missing where it is not encrypted. */
  readonly encryption?: VolumeEncryption | undefined;
  /** The same for a disk that fails. */
  readonly onDiskFailure?: OnNodeLost;
  /** Words for the mkfs program; missing where kubelet makes the filesystem, and for raw devices. */
  readonly mkfsOptions?: readonly string[] | undefined;
  /**
   * What is on the disk already and becomes this volume. Until the volume is published its data
   * belongs to somebody who only tried to get it back: it is never erased then.
   */
  readonly adopts?: VolumeIdentity | undefined;
}

/** Whether the limits of a volume hold, for the pods that use it now. */
export interface IoLimitsStanding {
  /** They hold for every one of them. */
  readonly applied: boolean;
  readonly pods: number;
  /** Why they do not hold for one of them. */
  readonly message?: string | undefined;
}

/** What the agent writes. */
export interface VolumeStatus {
  readonly phase: VolumePhase;
  /** Where kubelet finds the volume on the node. */
  readonly path?: string | undefined;
  /** What the pool really gave, overhead included. */
  readonly allocatedBytes?: Bytes | undefined;
  /** The usable size now, the filesystem included; less than `spec.bytes` while it grows. */
  readonly bytes?: Bytes | undefined;
  /** The first report of the node in which this volume is counted as it is allocated. */
  readonly generation?: number | undefined;
  readonly message?: string | undefined;
  readonly erased?: Erasure | undefined;
  /** Missing while nobody uses the volume, and for a volume without limits. */
  readonly ioLimits?: IoLimitsStanding | undefined;
  /** What is wrong with what it lies on; missing while all is well. */
  readonly health?: Health | undefined;
}

/** One LocalVolume, and no other that may have its name later. */
export interface VolumeRef {
  readonly name: string;
  readonly uid: string;
}

/** One LocalVolume: an entry of the durable ledger. */
export interface LocalVolume {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly spec: VolumeSpec;
  readonly status: VolumeStatus;
  /** Marked deleted. The agent acts on it only when `heldByControl` is false. */
  readonly deleting: boolean;
  readonly heldByControl: boolean;
  readonly heldByAgent: boolean;
  /** A PersistentVolume was, or is about to be, made for it: data may be in it. */
  readonly published: boolean;
  /**
   * The first of the volumes that were made with it for one pod. When that one is published this
   * one will be, so its space is kept.
   */
  readonly follows?: VolumeRef | undefined;
  /**
   * Its PersistentVolume had the policy Retain and has come to its end: the data stays until
   * somebody deletes the LocalVolume by hand.
   */
  readonly retained?: boolean | undefined;
  /** When its node was first seen lost, in milliseconds since the epoch; missing while it is not. */
  readonly nodeLostSince?: number | undefined;
  /** When its disk was first seen failing where that is waited for; as `nodeLostSince`. */
  readonly diskFailingSince?: number | undefined;
  /** The time of waiting for its node or disk is over, and its claim was taken away. */
  readonly givenUp?: boolean | undefined;
}
