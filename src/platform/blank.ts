import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { MiB } from '../model/bytes.ts';
import { errorCode } from './files.ts';

/** Partition tables, filesystems, RAID and volume managers all write here. */
const endBytes = MiB;

/**
 * Reads both ends of a device, where everything that uses one leaves traces.
 *
 * @returns why it is not blank, or nothing where both ends hold only zeros and nobody uses it
 */
export async function whyNotBlank(path: string, size: number): Promise<string | undefined> {
  let handle: FileHandle;
  try {
    // The kernel refuses while the device, or a part of it, is mounted or in use by another one,
    // whatever of that can be seen from here.
    handle = await open(path, constants.O_RDONLY | constants.O_EXCL);
  } catch (error) {
    if (errorCode(error) === 'EBUSY') {
      return 'it is mounted, or in use otherwise';
    }
    throw error;
  }
  try {
    const length = Math.min(endBytes, size);
    for (const start of new Set([0, size - length])) {
      const at = await firstNonZero(handle, start, length);
      if (at !== undefined) {
        return `it has data at byte ${at}, of a kind that is not known; if nobody needs it, wipe the disk (blkdiscard -z, or dd if=/dev/zero)`;
      }
    }
    return undefined;
  } finally {
    await handle.close();
  }
}

async function firstNonZero(
  handle: FileHandle,
  start: number,
  length: number,
): Promise<number | undefined> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, start);
  if (bytesRead < length) {
    throw new Error(`only ${bytesRead} of ${length} bytes could be read from byte ${start} on`);
  }
  const index = buffer.findIndex((byte) => byte !== 0);
  return index < 0 ? undefined : start + index;
}
