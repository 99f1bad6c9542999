import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { MiB } from '../../model/bytes.ts';
import type { Disk } from '../../model/disk.ts';
import { err, ok, type Result } from '../../model/result.ts';
import type { RunCommand } from '../../platform/run-command.ts';
import { createTable, markRegion, readTable } from './gpt-table.ts';
import { blockBytes, sealedBlock } from './sealed-block.ts';
import { zeroRegions } from './zeros.ts';

/** What a disk says of itself. */
export interface Mark {
  readonly pool: string;
  /** The GUID of the table it was made with: beside another table it says nothing. */
  readonly table: string;
  /**
   * False from before the table is written until it is whole, and again before it is taken away:
   * no volume can be on the disk then.
   */
  readonly whole: boolean;
}

/** The mark stands in the first block of its partition. */
const block = sealedBlock('BERTHDSK', 'mark');

export function encodeMark(mark: Mark): Buffer {
  return block.seal(mark);
}

/** @returns the mark, nothing where these bytes are none, or why it cannot be trusted */
export function parseMark(bytes: Buffer): Result<Mark | undefined, string> {
  const content = block.open(bytes);
  if (content === undefined) {
    return ok(undefined);
  }
  return content.ok ? readFields(content.value) : content;
}

function readFields(fields: unknown): Result<Mark, string> {
  const { pool, table, whole } = (fields ?? {}) as Partial<Record<keyof Mark, unknown>>;
  return typeof pool === 'string' && typeof table === 'string' && typeof whole === 'boolean'
    ? ok({ pool, table, whole })
    : err('its mark lacks a field');
}

/**
 * @param path - of a disk that has room for a mark
 * @throws Error when the disk cannot be read, be it that it has just gone
 */
export async function readMark(path: string): Promise<Result<Mark | undefined, string>> {
  const handle = await open(path, constants.O_RDONLY);
  try {
    const bytes = Buffer.alloc(blockBytes);
    const { bytesRead } = await handle.read(bytes, 0, blockBytes, markRegion.start);
    if (bytesRead < blockBytes) {
      throw new Error(`${path} ends where the mark of a pool would stand: is the disk gone?`);
    }
    return parseMark(bytes);
  } finally {
    await handle.close();
  }
}

async function writeMark(path: string, mark: Mark): Promise<void> {
  const handle = await open(path, constants.O_RDWR);
  try {
    await handle.write(encodeMark(mark), 0, blockBytes, markRegion.start);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes a blank disk one of the pool. Cut off anywhere, `finishMark` goes on. */
export async function markDisk(disk: Disk, pool: string, run: RunCommand): Promise<void> {
  const mark = { pool, table: randomUUID(), whole: false };
  await writeMark(disk.path, mark);
  await finishMark(disk, mark, run);
}

/** Goes on with a disk whose mark is not whole: nothing but parts of our table may be on it. */
export async function finishMark(disk: Disk, mark: Mark, run: RunCommand): Promise<void> {
  const { path, sectorBytes } = disk;
  const table = await readTable(path, run);
  if (!table.ok) {
    await createTable(path, mark.table, sectorBytes, run);
  }
  await writeMark(path, { ...mark, whole: true });
}

/** Makes a disk of the pool blank again; may be repeated. No volume may be on it. */
export async function unmarkDisk({ path, bytes }: Disk, mark: Mark): Promise<void> {
  await writeMark(path, { ...mark, whole: false });
  const last = Math.max(markRegion.start + markRegion.bytes, bytes - MiB);
  await zeroRegions(path, [
    { start: 0, bytes: markRegion.start },
    { start: last, bytes: bytes - last },
  ]);
  await zeroRegions(path, [markRegion]);
}
