import { constants } from 'node:fs';
import { open, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { bytes, formatBytes, MiB } from '../model/bytes.ts';
import type { ErasePolicy } from '../model/volume.ts';
import { CommandError, type RunCommand } from '../platform/run-command.ts';

/** Part of a file, from `offset` to its end. */
export interface ErasedPart {
  readonly path: string;
  readonly offset: number;
  /** The size of the whole file. */
  readonly size: number;
}

/**
 * Erases the bytes of a file that nobody uses any more, and waits until that is on the medium.
 * After a crash a second run is quick.
 *
 * @returns what was done, for people
 */
export async function eraseFile(
  part: ErasedPart,
  erase: ErasePolicy,
  run: RunCommand,
  signal: AbortSignal,
): Promise<string> {
  const length = Math.max(0, part.size - part.offset);
  const size = formatBytes(bytes(length));
  if (erase === 'none' || length === 0) {
    return `${size} left as they are`;
  }
  if (erase === 'discard') {
    return punch(part, length, run);
  }
  await overwrite(part, signal);
  return `${size} overwritten with zeros${await describeOldBlocks(part.path)}`;
}

/**
 * Gives the blocks back to the filesystem: it hands them to nobody before they read as zeros,
 * and trims them on the medium where it is mounted so.
 */
async function punch({ path, offset }: ErasedPart, length: number, run: RunCommand) {
  const range = ['--offset', String(offset), '--length', String(length)];
  const size = formatBytes(bytes(length));
  try {
    await run('fallocate', ['--punch-hole', ...range, path]);
    return `punched ${size}`;
  } catch (error) {
    if (error instanceof CommandError && error.stderr.includes('not supported')) {
      return `${size} given back to the filesystem, which cannot punch holes`;
    }
    throw error;
  }
}

/** Fits twice into the usual limit of one request to a disk, and keeps memory small. */
const chunkBytes = 4 * MiB;

/** Blocks that read as zeros are passed over, so a sparse file does not grow. */
async function overwrite({ path, offset }: ErasedPart, signal: AbortSignal): Promise<void> {
  const zeros = Buffer.alloc(chunkBytes);
  const chunk = Buffer.alloc(chunkBytes);
  const handle = await open(path, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    let at = offset;
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await handle.read(chunk, 0, chunkBytes, at);
      if (bytesRead === 0) {
        break;
      }
      if (!chunk.subarray(0, bytesRead).equals(zeros.subarray(0, bytesRead))) {
        await handle.write(zeros, 0, bytesRead, at);
      }
      at += bytesRead;
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Filesystems that write to another place than where the old bytes are: linux/magic.h. */
const copyOnWrite: ReadonlyMap<number, string> = new Map([
  [0x9123683e, 'btrfs'],
  [0xca451a4e, 'bcachefs'],
  [0x2fc12fc1, 'zfs'],
]);

async function describeOldBlocks(path: string): Promise<string> {
  const { type } = await statfs(dirname(path));
  const name = copyOnWrite.get(type);
  return name === undefined
    ? ''
    : `; ${name} wrote them elsewhere, old blocks wait to be used again`;
}
