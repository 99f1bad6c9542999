import { statfs } from 'node:fs/promises';
import { bytes, MiB, minusBytes, sumBytes, type Bytes } from '../../model/bytes.ts';
import type { PoolUsage } from '../../usecases/ports.ts';
import { blockBytes } from './folder-lookup.ts';

/** A volume as the pool counts it. */
export interface FolderSize {
  readonly size: Bytes;
  /** What it has really got of the filesystem so far. */
  readonly used: Bytes;
}

export interface FilesystemSize {
  /** What files may occupy in all. */
  readonly capacity: Bytes;
  /** What is left for files now. */
  readonly available: Bytes;
}

/**
 * What a pool of at most `limit` bytes can still give.
 *
 * Every volume may grow to its limit without asking again, so what volumes have been promised and
 * not yet used is not free. A filesystem of 10 GiB with 9 GiB left, and one volume of 6 GiB that
 * uses 1 GiB, has 4 GiB to give.
 */
export function measureFolders(
  limit: number,
  folders: readonly FolderSize[],
  filesystem: FilesystemSize,
): Pick<PoolUsage, 'total' | 'allocated' | 'free' | 'largest'> {
  const allocated = sumBytes(folders.map(({ size }) => size));
  const promised = sumBytes(folders.map(({ size, used }) => minusBytes(size, used)));
  const total = bytes(Math.min(limit, filesystem.capacity));
  const free = Math.min(
    minusBytes(total, allocated),
    minusBytes(filesystem.available, promised),
  ) as Bytes;
  const largest = bytes(Math.floor(free / blockBytes) * blockBytes);
  return { total, allocated, free, largest };
}

export async function filesystemSize(directory: string): Promise<FilesystemSize> {
  const { bsize, blocks, bfree, bavail } = await statfs(directory);
  return { capacity: bytes((blocks - (bfree - bavail)) * bsize), available: bytes(bavail * bsize) };
}

/** A filesystem that others use too is never still; what moves by less is not worth a new count. */
const breathing = 16 * MiB;

/** What changes when the free room of the filesystem does. Starts no program. */
export async function signsOfFilesystem(directory: string): Promise<string> {
  const { capacity, available } = await filesystemSize(directory);
  return `${capacity} ${Math.floor(available / breathing)}`;
}
