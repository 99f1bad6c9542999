import { open, truncate } from 'node:fs/promises';
import { minusBytes, type Bytes } from '../model/bytes.ts';
import { NoSpaceError } from '../model/errors.ts';
import type { RunCommand } from '../platform/run-command.ts';
import { noRoomError, writeHeader } from './loop-images.ts';
import type { OwnImage } from './loop-lookup.ts';
import type { Allocation } from './loop-options.ts';
import { imageBytesFor, usableFor } from './loop-space.ts';

export interface Growth {
  readonly allocation: Allocation;
  readonly run: RunCommand;
  readonly signal: AbortSignal;
}

/**
 * Takes away again what an image has got beyond its header by a growth that was cut off. No device
 * shows that part: a device learns of new bytes only when the header has them.
 */
export async function undoGrowth(image: OwnImage): Promise<void> {
  const size = imageBytesFor(image.own.bytes);
  if (image.size > size) {
    await truncate(image.path, size);
  }
}

/** What the pool must still give so that the image can have `wanted` usable bytes. */
export function growthOf({ own }: OwnImage, wanted: Bytes): Bytes {
  return minusBytes(imageBytesFor(wanted), imageBytesFor(own.bytes));
}

/**
 * Makes an image larger: its file first, then its header, which alone says what its size is.
 * @throws NoSpaceError when the filesystem has no room; the image is as it was then
 */
export async function growImage(image: OwnImage, wanted: Bytes, growth: Growth): Promise<void> {
  const { path, own } = image;
  try {
    await extendFile(image, imageBytesFor(wanted), growth);
    await writeHeader(path, { ...own, bytes: usableFor(wanted) });
  } catch (error) {
    const noRoom = noRoomError(error, path, imageBytesFor(wanted));
    if (noRoom instanceof NoSpaceError) {
      await undoGrowth({ ...image, size: imageBytesFor(wanted) });
    }
    throw noRoom;
  }
}

async function extendFile(image: OwnImage, size: Bytes, growth: Growth): Promise<void> {
  const { path, own } = image;
  const { allocation, run, signal } = growth;
  const before = imageBytesFor(own.bytes);
  if (allocation === 'preallocated') {
    const part = ['--offset', String(before), '--length', String(size - before)];
    await run('fallocate', [...part, path], signal);
  }
  const handle = await open(path, 'r+');
  try {
    if ((await handle.stat()).size < size) {
      await handle.truncate(size);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}
