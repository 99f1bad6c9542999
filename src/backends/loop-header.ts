import { createHash } from 'node:crypto';
import { isBytes, type Bytes } from '../model/bytes.ts';
import { err, ok, type Result } from '../model/result.ts';

/** What an image file says of itself; its name on disk proves nothing. */
export interface ImageHeader {
  readonly name: string;
  readonly volumeUid: string;
  readonly pool: string;
  /** The usable size. */
  readonly bytes: Bytes;
  readonly createdAt: string;
  /** The name it had before it was adopted: its file may still have it, should that have been cut off. */
  readonly adoptedFrom?: string | undefined;
}

/**
 * The header stands in the first 4 KiB of an image, in one block of every medium, so a power
 * cut leaves it old or new:
 *
 *     0  magic "BERTHVOL"      12  length of the JSON     48  JSON, UTF-8
 *     8  version (1)           16  SHA-256 of all the other bytes before the end of the JSON
 *
 * Numbers are little-endian and 32 bit wide. The checksum finds damage; it is no signature.
 */
export const headerBytes = 4096;

const magic = Buffer.from('BERTHVOL');
const version = 1;
const lengthAt = 12;
const checksumAt = 16;
const jsonAt = 48;

/** @throws RangeError when the names are too long for the block */
export function encodeHeader(header: ImageHeader): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  if (jsonAt + json.length > headerBytes) {
    throw new RangeError(`the header of ${header.name} does not fit in ${headerBytes} bytes`);
  }
  const block = Buffer.alloc(headerBytes);
  magic.copy(block);
  block.writeUInt32LE(version, magic.length);
  block.writeUInt32LE(json.length, lengthAt);
  json.copy(block, jsonAt);
  checksum(block, json.length).copy(block, checksumAt);
  return block;
}

/** @returns the header, or why these bytes are none */
export function parseHeader(block: Buffer): Result<ImageHeader, string> {
  if (block.length < headerBytes || !block.subarray(0, magic.length).equals(magic)) {
    return err('it has no Berth header');
  }
  const found = block.readUInt32LE(magic.length);
  if (found !== version) {
    return err(`its header has version ${found}, this program knows version ${version}`);
  }
  const length = block.readUInt32LE(lengthAt);
  if (jsonAt + length > headerBytes) {
    return err('its header is damaged: the length is out of range');
  }
  if (!checksum(block, length).equals(block.subarray(checksumAt, jsonAt))) {
    return err('its header is damaged: the checksum does not match');
  }
  return readFields(block.subarray(jsonAt, jsonAt + length).toString());
}

function checksum(block: Buffer, jsonLength: number): Buffer {
  return createHash('sha256')
    .update(block.subarray(0, checksumAt))
    .update(block.subarray(jsonAt, jsonAt + jsonLength))
    .digest();
}

function readFields(json: string): Result<ImageHeader, string> {
  let fields: unknown;
  try {
    fields = JSON.parse(json);
  } catch {
    return err('its header is not JSON');
  }
  const { name, volumeUid, pool, bytes, createdAt, adoptedFrom } = (fields ?? {}) as Record<
    string,
    unknown
  >;
  const texts = { name, volumeUid, pool, createdAt };
  for (const [field, value] of Object.entries(texts)) {
    if (typeof value !== 'string' || value === '') {
      return err(`its header has no ${field}`);
    }
  }
  if (!isBytes(bytes)) {
    return err('its header has no bytes');
  }
  const header = { ...(texts as Record<keyof typeof texts, string>), bytes };
  return ok(typeof adoptedFrom === 'string' ? { ...header, adoptedFrom } : header);
}
