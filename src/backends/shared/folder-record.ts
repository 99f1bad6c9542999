import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isBytes, type Bytes } from '../../model/bytes.ts';
import { describeError } from '../../model/errors.ts';
import { err, ok, type Result } from '../../model/result.ts';
import { errorCode, syncDirectory } from '../../platform/files.ts';

/** What a volume's folder says of itself in `volume.json`; the folder's name proves nothing. */
export interface FolderRecord {
  readonly name: string;
  readonly volumeUid: string;
  readonly pool: string;
  /** The usable size. */
  readonly bytes: Bytes;
  /** What the filesystem knows the limit by: a project id, or the id of a subvolume. */
  readonly quotaId?: number | undefined;
  readonly createdAt: string;
  /** The name it had before it was adopted: its folder may still have it, should that have been cut off. */
  readonly adoptedFrom?: string | undefined;
}

const version = 1;
const mostBytes = 64 * 1024;

/** A line of JSON. The checksum, over the JSON without it, finds damage; it is no signature. */
export function encodeRecord(record: FolderRecord): string {
  const { name, volumeUid, pool, bytes, quotaId, createdAt, adoptedFrom } = record;
  const identity = { version, name, volumeUid, pool, bytes };
  const fields = { ...identity, quotaId, createdAt, adoptedFrom };
  return `${JSON.stringify({ ...fields, checksum: checksumOf(fields) })}\n`;
}

/** @returns the record, or why the text is none */
export function parseRecord(text: string): Result<FolderRecord, string> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return err('its volume.json is not JSON');
  }
  const { checksum, ...fields } = (parsed ?? {}) as Record<string, unknown>;
  if (fields['version'] !== version) {
    const found = JSON.stringify(fields['version']) ?? 'none';
    return err(`its volume.json has version ${found}, this program knows version ${version}`);
  }
  if (checksum !== checksumOf(fields)) {
    return err('its volume.json is damaged: the checksum does not match');
  }
  return readFields(fields);
}

function checksumOf(fields: object): string {
  return createHash('sha256').update(JSON.stringify(fields)).digest('hex');
}

function readFields(fields: Record<string, unknown>): Result<FolderRecord, string> {
  const { name, volumeUid, pool, createdAt, bytes, quotaId, adoptedFrom } = fields;
  const texts = { name, volumeUid, pool, createdAt };
  for (const [field, value] of Object.entries(texts)) {
    if (typeof value !== 'string' || value === '') {
      return err(`its volume.json has no ${field}`);
    }
  }
  if (!isBytes(bytes)) {
    return err('its volume.json has no bytes');
  }
  return ok({
    ...(texts as Record<keyof typeof texts, string>),
    bytes,
    ...(typeof quotaId === 'number' ? { quotaId } : {}),
    ...(typeof adoptedFrom === 'string' ? { adoptedFrom } : {}),
  });
}

/** Reads a small text that must be a regular file. @throws Error with code ENOENT where there is none */
export async function readSmallFile(path: string): Promise<string> {
  // A pipe in its place must not keep anybody waiting.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(path, flags);
  try {
    const stat = await handle.stat();
    if (!stat.isFile() || stat.size > mostBytes) {
      throw new Error(`${path} is no small regular file`);
    }
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

export async function readRecord(path: string): Promise<Result<FolderRecord, string>> {
  try {
    return parseRecord(await readSmallFile(path));
  } catch (error) {
    return errorCode(error) === 'ENOENT'
      ? err('it has no volume.json')
      : err(`its volume.json cannot be read: ${describeError(error)}`);
  }
}

/** Ends the name of a file that is not in its place yet. */
const freshSuffix = '.fresh';

/** Puts a text in the place of a file, whole or not at all, and on the medium. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const fresh = `${path}${freshSuffix}`;
  await rm(fresh, { force: true });
  const handle = await open(fresh, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(fresh, path);
  await syncDirectory(dirname(path));
}
