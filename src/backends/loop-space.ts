import { bytes, KiB, MiB, minusBytes, roundUp, sumBytes, type Bytes } from '../model/bytes.ts';
import type { PoolUsage } from '../usecases/ports.ts';

/** Where the data begins in an image: the header before it has room to grow. */
export const dataOffset = MiB;
/** Images are whole blocks of every usual filesystem, and whole sectors of every disk. */
const blockBytes = 4 * KiB;

/** The usable size that a volume of `wanted` bytes really gets. */
export function usableFor(wanted: Bytes): Bytes {
  return roundUp(wanted, blockBytes);
}

/** What a volume of `wanted` usable bytes occupies of a loop pool: the size of its image. */
export function imageBytesFor(wanted: Bytes): Bytes {
  return bytes(dataOffset + usableFor(wanted));
}

/** An image as the filesystem counts it. */
export interface ImageSize {
  readonly size: Bytes;
  /** What it has really got of the filesystem so far; a sparse image grows up to its size. */
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
 * Every image may grow to its full size without asking again, so what images have been promised
 * and not yet used is not free. A filesystem of 10 GiB with 9 GiB left, and one sparse image of
 * 6 GiB that uses 1 GiB, has 4 GiB to give.
 */
export function measure(
  limit: Bytes,
  images: readonly ImageSize[],
  filesystem: FilesystemSize,
): Omit<PoolUsage, 'volumes'> {
  const allocated = sumBytes(images.map(({ size }) => size));
  const promised = sumBytes(images.map(({ size, used }) => minusBytes(size, used)));
  const total = bytes(Math.min(limit, filesystem.capacity));
  const free = Math.min(
    minusBytes(total, allocated),
    minusBytes(filesystem.available, promised),
  ) as Bytes;
  const whole = bytes(Math.floor(free / blockBytes) * blockBytes);
  const largest = whole >= imageBytesFor(bytes(1)) ? whole : bytes(0);
  return { total, allocated, free, largest };
}
