import { constants } from 'node:fs';
import { open, readdir, type FileHandle } from 'node:fs/promises';
import { errorCode } from '../../platform/files.ts';
import { overwriteWithZeros } from './zeros.ts';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;

/**
 * Overwrites what all regular files below a directory hold. No link is followed, at no place of a
 * path: each name is looked up in the directory that is open already, as the kernel shows it under
 * /proc/self/fd, so a path may also be longer than a program can name. Names of files may be any
 * bytes.
 *
 * @returns how many files
 */
export async function zeroFiles(directory: string, signal: AbortSignal): Promise<number> {
  const handle = await openDirectory(Buffer.from(directory));
  return handle === undefined ? 0 : zeroBelow(handle, signal);
}

async function zeroBelow(directory: FileHandle, signal: AbortSignal): Promise<number> {
  let files = 0;
  try {
    const here = Buffer.from(`/proc/self/fd/${directory.fd}/`);
    const entries = await readdir(here, { encoding: 'buffer', withFileTypes: true });
    for (const entry of entries) {
      const path = Buffer.concat([here, entry.name]);
      if (entry.isDirectory()) {
        const below = await openDirectory(path);
        files += below === undefined ? 0 : await zeroBelow(below, signal);
      } else if (entry.isFile()) {
        files += await zeroFile(path, signal);
      }
    }
  } finally {
    await directory.close();
  }
  return files;
}

async function zeroFile(path: Buffer, signal: AbortSignal): Promise<number> {
  try {
    await overwriteWithZeros(path, 0, signal);
    return 1;
  } catch (error) {
    if (hasGone(error)) {
      return 0;
    }
    throw error;
  }
}

/** @returns nothing where it has gone, or is something else by now */
async function openDirectory(path: Buffer): Promise<FileHandle | undefined> {
  try {
    return await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    if (hasGone(error)) {
      return undefined;
    }
    throw error;
  }
}

function hasGone(error: unknown): boolean {
  return ['ENOENT', 'ELOOP', 'ENOTDIR', 'EISDIR'].includes(errorCode(error) ?? '');
}
