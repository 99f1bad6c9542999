import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { MiB } from '../../model/bytes.ts';

/** Fits twice into the usual limit of one request to a disk, and keeps memory small. */
const chunkBytes = 4 * MiB;

/**
 * Overwrites a file or block device from `offset` to its end with zeros, and waits until that is
 * on the medium. What reads as zeros is passed over: a sparse file does not grow, and a second
 * run after a crash is quick.
 */
export async function overwriteWithZeros(
  path: string | Buffer,
  offset: number,
  signal: AbortSignal,
): Promise<void> {
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

/** A part of a file or block device, in bytes. */
export interface Region {
  readonly start: number;
  readonly bytes: number;
}

/** Filesystems, partition tables and volume managers are recognised by what stands here. */
const signatureBytes = MiB;

/** Both ends of a region: whoever looks there afterwards finds no filesystem of an earlier user. */
export function endsOf({ start, bytes }: Region): readonly Region[] {
  const length = Math.min(signatureBytes, bytes);
  return [
    { start, bytes: length },
    { start: start + bytes - length, bytes: length },
  ];
}

/** Writes zeros over small regions of a block device, and waits until they are on the medium. */
export async function zeroRegions(path: string, regions: readonly Region[]): Promise<void> {
  const handle = await open(path, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    for (const { start, bytes } of regions) {
      await handle.write(Buffer.alloc(bytes), 0, bytes, start);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}
