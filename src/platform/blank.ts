import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { MiB } from '../model/bytes.ts';
import { blockDeviceBytes } from './block-size.ts';
import { errorCode } from './files.ts';
import { runLocked } from './locked.ts';
import type { RunCommand } from './run-command.ts';

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
    const at = await firstNonZeroAtEnds(handle, size);
    return at === undefined
      ? undefined
      : `it has data at byte ${at}, of a kind that is not known; if nobody needs it, wipe the disk (blkdiscard -z, or dd if=/dev/zero)`;
  } finally {
    await handle.close();
  }
}

/**
 * Whether both ends of a device hold only zeros, be it in use or not.
 *
 * @param device - the kernel's own name of it
 */
export async function hasBlankEnds(device: string): Promise<boolean> {
  const size = await blockDeviceBytes(device);
  const handle = await open(device, 'r');
  try {
    return (await firstNonZeroAtEnds(handle, size)) === undefined;
  } finally {
    await handle.close();
  }
}

/**
 * Writes zeros over both ends of a device, and waits until they are on the medium.
 *
 * @throws Error while anybody uses the device
 */
export async function blankEnds(
  device: string,
  run: RunCommand,
  signal: AbortSignal,
): Promise<void> {
  const { length, starts } = endsOf(await blockDeviceBytes(device));
  for (const start of starts) {
    const region = ['--offset', String(start), '--length', String(length)];
    // It opens the device exclusively: one that is mounted is refused.
    await runLocked(device, ['blkdiscard', '--zeroout', ...region, device], run, signal);
  }
}

function endsOf(size: number): { readonly length: number; readonly starts: readonly number[] } {
  const length = Math.min(endBytes, size);
  return { length, starts: [...new Set([0, size - length])] };
}

async function firstNonZeroAtEnds(handle: FileHandle, size: number): Promise<number | undefined> {
  const { length, starts } = endsOf(size);
  for (const start of starts) {
    const at = await firstNonZero(handle, start, length);
    if (at !== undefined) {
      return at;
    }
  }
  return undefined;
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
