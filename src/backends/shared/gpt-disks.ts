import { describeError } from '../../model/errors.ts';
import { whyNotTaken, type Disk } from '../../model/disk.ts';
import { err, ok, type Result } from '../../model/result.ts';
import type { PoolDisk } from '../backend.ts';
import { readMark, type Mark } from './gpt-mark.ts';
import type { ReadTable } from './gpt-reader.ts';
import { markRegion, markType, volumeType, type Table } from './gpt-table.ts';

/** What a pool makes of one disk, by what is written on it. */
export type JudgedDisk =
  | OwnDisk
  | UnfinishedDisk
  /** Nothing on it is known: whoever takes it still has to read it. */
  | { readonly kind: 'free'; readonly disk: Disk }
  | RefusedDisk;

export interface OwnDisk {
  readonly kind: 'own';
  readonly disk: Disk;
  readonly selected: boolean;
  readonly mark: Mark;
  readonly table: Table;
}

/** The pool has begun to take it, or to let go of it: no volume is on it. */
export interface UnfinishedDisk {
  readonly kind: 'unfinished';
  readonly disk: Disk;
  readonly selected: boolean;
  readonly mark: Mark;
}

export interface RefusedDisk {
  readonly kind: 'refused';
  readonly disk: Disk;
  readonly why: string;
  /** Volumes of the pool may be on it, and nobody can tell. */
  readonly mayHoldVolumes: boolean;
}

/**
 * Looks at a disk from the view of a pool, and changes nothing.
 *
 * @returns nothing for a disk that is no concern of the pool
 */
export async function judgeDisk(
  { disk, selected, takenBy }: PoolDisk,
  pool: string,
  readTable: ReadTable,
): Promise<JudgedDisk | undefined> {
  // What users write into their volumes can look like a mark, and a loop device is often a volume.
  if (!selected && disk.type !== 'disk') {
    return undefined;
  }
  const mark = await markOf(disk);
  if (mark.ok && mark.value?.pool === pool) {
    return judgeMarked(disk, selected, mark.value, readTable);
  }
  if (!selected) {
    return undefined;
  }
  if (!mark.ok) {
    return refused(disk, mark.error, true);
  }
  if (takenBy !== undefined) {
    return refused(disk, `it belongs to pool ${takenBy}`);
  }
  return mark.value === undefined
    ? judgeUnmarked(disk, readTable)
    : refused(disk, `it belongs to pool ${mark.value.pool}`);
}

async function markOf(disk: Disk): Promise<Result<Mark | undefined, string>> {
  if (disk.bytes < leastBytes) {
    return ok(undefined);
  }
  try {
    return await readMark(disk.path);
  } catch (error) {
    return err(`it cannot be read: ${describeError(error)}`);
  }
}

function refused(disk: Disk, why: string, mayHoldVolumes = false): RefusedDisk {
  return { kind: 'refused', disk, why, mayHoldVolumes };
}

/** Smaller ones have no room beside the table. */
const leastBytes = 4 * markRegion.bytes;

async function judgeUnmarked(disk: Disk, readTable: ReadTable): Promise<JudgedDisk> {
  const table = await readTable(disk);
  if (table.ok && hasOurs(table.value)) {
    return refused(disk, 'it has partitions of Berth, and no mark that says of which pool', true);
  }
  const why = whyUnfit(disk) ?? whyNotTaken(disk);
  return why === undefined ? { kind: 'free', disk } : refused(disk, why);
}

function hasOurs({ partitions }: Table): boolean {
  return partitions.some(({ type }) => type === markType || type === volumeType);
}

function whyUnfit({ type, bytes }: Disk): string | undefined {
  if (type !== 'disk' && type !== 'loop') {
    return `it is of type ${type}: the kernel makes no partitions of it`;
  }
  return bytes < leastBytes ? 'it is too small for a volume' : undefined;
}

async function judgeMarked(
  disk: Disk,
  selected: boolean,
  mark: Mark,
  readTable: ReadTable,
): Promise<JudgedDisk> {
  const table = await readTable(disk);
  if (!mark.whole) {
    const why = whyNotFinished(disk, mark, table);
    return why === undefined ? { kind: 'unfinished', disk, selected, mark } : refused(disk, why);
  }
  if (!table.ok) {
    const why = `it belongs to this pool, and its partition table cannot be read: ${table.error}`;
    return refused(disk, why, true);
  }
  return isTableOf(mark, table.value)
    ? { kind: 'own', disk, selected, mark, table: table.value }
    : refused(disk, 'its mark is of this pool, and its partition table of somebody else', true);
}

function isTableOf(mark: Mark, { id, partitions }: Table): boolean {
  return (
    id === mark.table &&
    partitions.some(({ type, start }) => type === markType && start === markRegion.start)
  );
}

/** What is on a disk whose mark is not whole can only be a part of what the pool writes itself. */
function whyNotFinished(
  { content }: Disk,
  mark: Mark,
  table: Result<Table, string>,
): string | undefined {
  const isForeign =
    content.signature !== undefined ||
    content.holders.length > 0 ||
    content.mountPoints.length > 0 ||
    (table.ok && !(isTableOf(mark, table.value) && table.value.partitions.length === 1));
  return isForeign
    ? 'the pool had begun to take it, and something else is on it now: wipe it if nobody needs that'
    : undefined;
}
