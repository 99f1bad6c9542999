import type { Bytes } from './bytes.ts';

/** A part of a disk. */
export interface Partition {
  readonly path: string;
  readonly bytes: Bytes;
  /** What is on it, such as `ext4`; missing where nothing on it is known. */
  readonly signature?: string | undefined;
}

/** What is on a disk, as far as anybody can tell without reading all of it. */
export interface DiskContent {
  /** The kind of partition table, such as `gpt`. */
  readonly partitionTable?: string | undefined;
  readonly partitions: readonly Partition[];
  /** A filesystem or other signature that begins at the disk's first sectors, such as `ext4`. */
  readonly signature?: string | undefined;
  /** Devices that are made of it or of a part of it, such as a volume of LVM. */
  readonly holders: readonly string[];
  /**
   * Where it, or a part of it, is mounted; `[SWAP]` for swap. A text in brackets stands for a
   * mount that the kernel knows and this process cannot see.
   */
  readonly mountPoints: readonly string[];
}

/** One whole disk of a node, as the kernel shows it now. */
export interface Disk {
  /**
   * The same after reboots and when the kernel gives it another name: from its WWN, or model and
   * serial number; from its path only where it has neither.
   */
  readonly id: string;
  /** False where `id` is only where the disk is now. */
  readonly hasStableId: boolean;
  /** Such as `/dev/sdb`; another one after the next reboot, perhaps. */
  readonly path: string;
  /** Other names of it below /dev, such as `/dev/disk/by-id/...`. */
  readonly links: readonly string[];
  /** What the kernel calls this sort of device: `disk`, `loop`, `mpath` ... */
  readonly type: string;
  readonly bytes: Bytes;
  readonly sectorBytes: number;
  readonly model?: string | undefined;
  readonly serial?: string | undefined;
  readonly wwn?: string | undefined;
  /** `nvme`, `sata`, `sas`, `virtio` ... */
  readonly transport?: string | undefined;
  readonly rotational: boolean;
  readonly readOnly: boolean;
  readonly removable: boolean;
  readonly content: DiskContent;
}

const mainMounts = 4;

/** The shortest are what people mounted; the others come and go with pods. */
export function mainMountPoints({ content }: Disk): readonly string[] {
  return [...content.mountPoints]
    .sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
    .slice(0, mainMounts);
}

/**
 * Why a pool must not take a disk that is not its own yet.
 *
 * @returns nothing where nothing on it is known: whoever takes it still has to read it
 */
export function whyNotTaken(disk: Disk): string | undefined {
  const { content } = disk;
  const { partitionTable, signature } = content;
  const partitions = content.partitions.map(({ path }) => path);
  const hasEmptyTable = partitionTable !== undefined && partitions.length === 0;
  const reasons: readonly [boolean, string][] = [
    [content.mountPoints.length > 0, `it is mounted at ${mainMountPoints(disk).join(', ')}`],
    [content.holders.length > 0, `it is part of ${content.holders.join(', ')}`],
    [partitions.length > 0, `it has the partitions ${partitions.join(', ')}`],
    [signature !== undefined, `it holds ${signature ?? ''}`],
    [hasEmptyTable, `it has a partition table (${partitionTable ?? ''})`],
    [disk.readOnly, 'it is read-only'],
    [disk.removable, 'it is removable'],
    [disk.bytes === 0, 'it has no medium'],
  ];
  const holding = reasons.flatMap(([holds, text]) => (holds ? [text] : []));
  return holding.length > 0 ? holding.join(', ') : undefined;
}
