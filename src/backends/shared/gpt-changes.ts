import { rm } from 'node:fs/promises';
import type { ErasePolicy, VolumeIdentity } from '../../model/volume.ts';
import type { RunCommand } from '../../platform/run-command.ts';
import type { InTurn } from '../../usecases/one-at-a-time.ts';
import type { BackendVolume } from '../../usecases/ports.ts';
import { eraseDevice } from './erase-device.ts';
import type { Disk } from '../../model/disk.ts';
import type { OwnDisk } from './gpt-disks.ts';
import { clearKernel, tellKernel } from './gpt-kernel.ts';
import type { ReadTable } from './gpt-reader.ts';
import {
  addPartitions,
  changePartition,
  deletePartition,
  type NewPartition,
  type Partition,
} from './gpt-table.ts';
import { partitionOf, type Placed } from './gpt-volumes.ts';
import { endsOf, zeroRegions } from './zeros.ts';

export interface Changing {
  readonly run: RunCommand;
  readonly readTable: ReadTable;
}

/**
 * Makes partitions in regions where the table has none, and the kernel knows none. Writing their
 * entries is the one step that makes them volumes, all of them or none; before that both ends of each
 * region are zeroed, since whoever had it before may have left a filesystem there.
 */
export async function createOn(
  { disk, table }: OwnDisk,
  wanted: readonly NewPartition[],
  { run, readTable }: Changing,
): Promise<void> {
  if (wanted.length === 0) {
    return;
  }
  await zeroRegions(disk.path, wanted.flatMap(endsOf));
  await addPartitions(disk.path, table, wanted, run);
  await expectPartitions(disk, wanted, readTable);
}

/** Gives a partition another name and uid in one write of its table. @throws Error while it is in use */
export async function renamePlaced(
  { on, partition }: Placed,
  to: VolumeIdentity,
  { run, readTable }: Changing,
): Promise<BackendVolume> {
  const wanted = partitionOf(to, partition);
  const { path } = on.disk;
  await clearKernel(path, partition, run);
  await changePartition(path, on.table, { ...wanted, number: partition.number }, run);
  await expectPartitions(on.disk, [wanted], readTable);
  return toVolume(to, wanted);
}

export function toVolume(
  { name, volumeUid }: VolumeIdentity,
  { bytes }: NewPartition,
): BackendVolume {
  return { name, volumeUid, bytes, allocatedBytes: bytes };
}

async function expectPartitions(
  disk: Disk,
  wanted: readonly NewPartition[],
  readTable: ReadTable,
): Promise<void> {
  const table = await readTable(disk);
  const found = table.ok ? table.value.partitions : [];
  if (!wanted.every((one) => found.some((each) => isSame(each, one)))) {
    throw new Error(`the table of ${disk.path} does not show what was written to it`);
  }
}

function isSame(a: NewPartition, b: NewPartition): boolean {
  return a.uuid === b.uuid && a.name === b.name && a.start === b.start && a.bytes === b.bytes;
}

export interface Erasing extends Changing {
  readonly inTurn: InTurn;
  readonly signal: AbortSignal;
  /** Where kubelet finds the partition. */
  readonly link: string;
}

/**
 * Erases a partition and takes it out of its table.
 *
 * @returns what was done to the bytes, for people
 * @throws Error while somebody uses it
 */
export async function erasePlaced(
  placed: Placed,
  erase: ErasePolicy,
  { run, readTable, inTurn, signal, link }: Erasing,
): Promise<string> {
  const { path } = placed.on.disk;
  const device = await inTurn(async () => {
    const partition = await stillOn(placed, readTable);
    // Only a partition that nobody has open can be taken from the kernel.
    await clearKernel(path, partition, run);
    await rm(link, { force: true });
    return tellKernel(path, partition, run);
  });
  const done = await eraseDevice(device, erase, run, signal);
  await inTurn(async () => {
    await clearKernel(path, placed.partition, run);
    const found = await sameOn(placed, readTable);
    if (found !== undefined) {
      await deletePartition(path, found, run);
    }
  });
  return done;
}

/**
 * The same partition, read from its disk again: whoever has waited since he found it must not touch
 * another disk that has the path by now.
 *
 * @throws Error where it is not there any more
 */
export async function stillOn(placed: Placed, readTable: ReadTable): Promise<Partition> {
  const found = await sameOn(placed, readTable);
  if (found === undefined) {
    throw new Error(`${placed.on.disk.path} does not have the partition any more that was on it`);
  }
  return found;
}

/** Its number can have changed since, when somebody else has written the table. */
async function sameOn(
  { on, partition }: Placed,
  readTable: ReadTable,
): Promise<Partition | undefined> {
  const table = await readTable(on.disk);
  if (!table.ok) {
    throw new Error(table.error);
  }
  return table.value.partitions.find((each) => isSame(each, partition));
}
