import { dirname } from 'node:path';
import { bytes, formatBytes } from '../model/bytes.ts';
import type { ErasePolicy } from '../model/volume.ts';
import { CommandError, type RunCommand } from '../platform/run-command.ts';
import { describeOldBlocks } from './shared/old-blocks.ts';
import { overwriteWithZeros } from './shared/zeros.ts';

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
  await overwriteWithZeros(part.path, part.offset, signal);
  return `${size} overwritten with zeros${await describeOldBlocks(dirname(part.path))}`;
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
