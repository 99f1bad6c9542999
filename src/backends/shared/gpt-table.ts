import { bytes, KiB, type Bytes } from '../../model/bytes.ts';
import { describeError } from '../../model/errors.ts';
import { err, ok, type Result } from '../../model/result.ts';
import type { RunCommand } from '../../platform/run-command.ts';
import type { Region } from './zeros.ts';

/** Our own sorts of partitions, as they stand in the tables of disks: never to be changed. */
export const markType = '6e1f5c1a-7b52-4e0f-9c39-b0e47a5d1001';
export const volumeType = '6e1f5c1a-7b52-4e0f-9c39-b0e47a5d1002';

/** The partition that says which pool a disk belongs to, right before the first volume. */
export const markRegion: Region = { start: 512 * KiB, bytes: 512 * KiB };
/** Before it only the table stands. */
export const firstUsable = 64 * KiB;

/** One partition as its table describes it. */
export interface Partition {
  readonly number: number;
  readonly start: Bytes;
  readonly bytes: Bytes;
  /** GUIDs in small letters. */
  readonly type: string;
  readonly uuid: string;
  readonly name: string;
}

export interface Table {
  readonly id: string;
  readonly sectorBytes: number;
  /** Where the room for partitions ends. */
  readonly end: Bytes;
  readonly partitions: readonly Partition[];
  /** How many partitions it can hold. */
  readonly slots: number;
}

interface SfdiskTable {
  readonly label: string;
  readonly id: string;
  readonly lastlba: number;
  readonly sectorsize: number;
  readonly 'table-length'?: number | string;
  readonly partitions?: readonly {
    readonly node: string;
    readonly start: number;
    readonly size: number;
    readonly type: string;
    readonly uuid?: string;
    readonly name?: string;
  }[];
}

const noTable = 'does not contain a recognized partition table';
const otherTable = 'has a partition table of kind';

/** Whether an error of `readTable` comes from what is on the disk, and so stays as long as that does. */
export function isOfContent(error: string): boolean {
  return error.includes(noTable) || error.includes(otherTable);
}

/**
 * Reads the GPT of a disk; its second copy where the first one is damaged.
 *
 * @returns the table, or why there is none that can be read
 */
export async function readTable(path: string, run: RunCommand): Promise<Result<Table, string>> {
  try {
    const text = await run('sfdisk', ['--json', path]);
    const { partitiontable } = JSON.parse(text) as { partitiontable: SfdiskTable };
    return partitiontable.label === 'gpt'
      ? ok(toTable(partitiontable))
      : err(`${path} ${otherTable} ${partitiontable.label}`);
  } catch (error) {
    return err(describeError(error));
  }
}

const usualSlots = 128;

function toTable(table: SfdiskTable): Table {
  const { sectorsize, lastlba, partitions = [] } = table;
  return {
    id: table.id.toLowerCase(),
    sectorBytes: sectorsize,
    end: bytes((lastlba + 1) * sectorsize),
    slots: Number(table['table-length'] ?? usualSlots),
    partitions: partitions.map(({ node, start, size, type, uuid = '', name = '' }) => ({
      number: Number(/\d+$/.exec(node)?.[0]),
      start: bytes(start * sectorsize),
      bytes: bytes(size * sectorsize),
      type: type.toLowerCase(),
      uuid: uuid.toLowerCase(),
      name,
    })),
  };
}

/**
 * Partitions of the disk may be in use: the kernel is never asked to read all of the table anew,
 * and udev neither, as long as the lock is held.
 */
const gently = ['--quiet', '--lock=yes', '--no-reread', '--no-tell-kernel', '--wipe', 'never'];

/** What of a partition can be said; names and GUIDs are ours, so nothing in them needs quotes. */
export type NewPartition = Omit<Partition, 'number'>;

/** Makes a table whose only partition is the mark. */
export async function createTable(
  path: string,
  id: string,
  sectorBytes: number,
  run: RunCommand,
): Promise<void> {
  const mark = {
    ...{ start: bytes(markRegion.start), bytes: bytes(markRegion.bytes) },
    ...{ type: markType, uuid: id, name: 'berth-pool' },
  };
  const head = `label: gpt\nlabel-id: ${id}\nfirst-lba: ${firstUsable / sectorBytes}\n`;
  await run('sfdisk', [...gently, path], undefined, head + describe(mark, sectorBytes));
}

/** Adds partitions, all of them or none; they get the first numbers that are free. */
export async function addPartitions(
  path: string,
  { sectorBytes }: Table,
  partitions: readonly NewPartition[],
  run: RunCommand,
): Promise<void> {
  const args = [...gently, '--wipe-partitions', 'never', '--append', path];
  const text = partitions.map((each) => describe(each, sectorBytes)).join('');
  await run('sfdisk', args, undefined, text);
}

/** Changes all that a partition says of itself in one step; its data stays. */
export async function changePartition(
  path: string,
  { sectorBytes }: Table,
  { number, ...partition }: Partition,
  run: RunCommand,
): Promise<void> {
  const args = [...gently, '--wipe-partitions', 'never', '--partno', String(number), path];
  await run('sfdisk', args, undefined, describe(partition, sectorBytes));
}

export async function deletePartition(
  path: string,
  { number }: Partition,
  run: RunCommand,
): Promise<void> {
  await run('sfdisk', [...gently, '--delete', path, String(number)]);
}

function describe({ start, bytes, type, uuid, name }: NewPartition, sectorBytes: number): string {
  const where = `start=${start / sectorBytes}, size=${bytes / sectorBytes}`;
  return `${where}, type=${type}, uuid=${uuid}, name="${name}"\n`;
}
