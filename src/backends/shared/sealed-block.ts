import { createHash } from 'node:crypto';
import { err, ok, type Result } from '../../model/result.ts';

/** One block of every medium: a power cut leaves it old or new. */
export const blockBytes = 4096;

const version = 1;
const versionAt = 8;
const lengthAt = 12;
const checksumAt = 16;
const jsonAt = 48;

/**
 * JSON in one block of 4 KiB, by which a thing on disk is known:
 *
 *     0  magic, 8 bytes        12  length of the JSON     48  JSON, UTF-8
 *     8  version (1)           16  SHA-256 of all the other bytes before the end of the JSON
 *
 * Numbers are little-endian and 32 bit wide. The checksum finds damage; it is no signature.
 */
export interface SealedBlock {
  /** @throws RangeError when the content is too long for the block */
  seal(content: object): Buffer;
  /** @returns the content, why it cannot be trusted, or nothing where these bytes are no such block */
  open(block: Buffer): Result<unknown, string> | undefined;
}

/**
 * @param magicText - eight characters that tell this sort of block from every other
 * @param what - what people call it
 */
export function sealedBlock(magicText: string, what: string): SealedBlock {
  const magic = Buffer.from(magicText);
  return {
    seal: (content) => {
      const json = Buffer.from(JSON.stringify(content));
      if (jsonAt + json.length > blockBytes) {
        throw new RangeError(`a ${what} of ${json.length} bytes does not fit in ${blockBytes}`);
      }
      const block = Buffer.alloc(blockBytes);
      magic.copy(block);
      block.writeUInt32LE(version, versionAt);
      block.writeUInt32LE(json.length, lengthAt);
      json.copy(block, jsonAt);
      checksum(block, json.length).copy(block, checksumAt);
      return block;
    },
    open: (block) => {
      const isOne = block.length >= blockBytes && block.subarray(0, magic.length).equals(magic);
      return isOne ? read(block, what) : undefined;
    },
  };
}

function read(block: Buffer, what: string): Result<unknown, string> {
  const found = block.readUInt32LE(versionAt);
  if (found !== version) {
    return err(`its ${what} has version ${found}, this program knows version ${version}`);
  }
  const length = block.readUInt32LE(lengthAt);
  if (jsonAt + length > blockBytes) {
    return err(`its ${what} is damaged: the length is out of range`);
  }
  if (!checksum(block, length).equals(block.subarray(checksumAt, jsonAt))) {
    return err(`its ${what} is damaged: the checksum does not match`);
  }
  try {
    return ok(JSON.parse(block.subarray(jsonAt, jsonAt + length).toString()));
  } catch {
    return err(`its ${what} is not JSON`);
  }
}

function checksum(block: Buffer, jsonLength: number): Buffer {
  return createHash('sha256')
    .update(block.subarray(0, checksumAt))
    .update(block.subarray(jsonAt, jsonAt + jsonLength))
    .digest();
}
