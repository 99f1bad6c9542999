import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { MiB } from '../../model/bytes.ts';
import type { Disk } from '../../model/disk.ts';
import { err, ok, type Result } from '../../model/result.ts';
import type { RunCommand } from '../../platform/run-command.ts';
import { createTable, markRegion, readTable } from './gpt-table.ts';
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

/**
 * The mark stands in one block at the beginning of its partition, so a power cut leaves it old or
 * new:
 *
 *     0  magic "BERTHDSK"      12  length of the JSON     48  JSON, UTF-8
 *     8  version (1)           16  SHA-256 of all the other bytes before the end of the JSON
 *
 * Numbers are little-endian and 32 bit wide. The checksum finds damage; it is no signature.
 */
const markBytes = 4096;

const magic = Buffer.from('BERTHDSK');
const version = 1;
const lengthAt = 12;
const checksumAt = 16;
const jsonAt = 48;

export function encodeMark(mark: Mark): Buffer {
  const json = Buffer.from(JSON.stringify(mark));
  const block = Buffer.alloc(markBytes);
  magic.copy(block);
  block.writeUInt32LE(version, magic.length);
  block.writeUInt32LE(json.length, lengthAt);
  json.copy(block, jsonAt);
  checksum(block, json.length).copy(block, checksumAt);
  return block;
}

/** @returns the mark, nothing where these bytes are none, or why it cannot be trusted */
export function parseMark(block: Buffer): Result<Mark | undefined, string> {
  if (block.length < markBytes || !block.subarray(0, magic.length).equals(magic)) {
    return ok(undefined);
  }
  const found = block.readUInt32LE(magic.length);
  if (found !== version) {
    return err(`its mark has version ${found}, this program knows version ${version}`);
  }
  const length = block.readUInt32LE(lengthAt);
  const isSound =
    jsonAt + length <= markBytes &&
    checksum(block, length).equals(block.subarray(checksumAt, jsonAt));
  return isSound
    ? readFields(block.subarray(jsonAt, jsonAt + length).toString())
    : err('its mark is damaged: the checksum does not match');
}

function checksum(block: Buffer, jsonLength: number): Buffer {
  return createHash('sha256')
    .update(block.subarray(0, checksumAt))
    .update(block.subarray(jsonAt, jsonAt + jsonLength))
    .digest();
}

function readFields(json: string): Result<Mark, string> {
  const { pool, table, whole } = JSON.parse(json) as Partial<Record<keyof Mark, unknown>>;
  return typeof pool === 'string' && typeof table === 'string' && typeof whole === 'boolean'
    ? ok({ pool, table, whole })
    : err('its mark lacks a field');
}

/** @throws Error when the disk cannot be read */
export async function readMark(path: string): Promise<Result<Mark | undefined, string>> {
  const handle = await open(path, constants.O_RDONLY);
  try {
    const block = Buffer.alloc(markBytes);
    const { bytesRead } = await handle.read(block, 0, markBytes, markRegion.start);
    return parseMark(block.subarray(0, bytesRead));
  } finally {
    await handle.close();
  }
}

async function writeMark(path: string, mark: Mark): Promise<void> {
  const handle = await open(path, constants.O_RDWR);
  try {
    await handle.write(encodeMark(mark), 0, markBytes, markRegion.start);
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
