import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { formatBytes, MiB, type Bytes } from '../model/bytes.ts';
import type { DeviceCleaning } from '../model/discovery.ts';
import { listDisks } from '../platform/block-devices.ts';
import { deviceNumber, readDevice, whoUses } from '../platform/device-facts.ts';
import type { RunCommand } from '../platform/run-command.ts';
import { mediumOfDevice } from './discovery-medium.ts';

/** Where filesystems, partition tables and volume managers have their marks. */
const endBytes = MiB;
const chunkBytes = 4 * MiB;

export interface WipedDevice {
  /** The kernel's path of it. */
  readonly path: string;
  /** What the device that was found is known by. */
  readonly id: string;
  readonly bytes: Bytes;
}

/**
 * Takes what its last owner wrote off a whole device.
 *
 * @returns what was done, for people
 * @throws Error while anybody uses it
 */
export async function wipeDevice(
  { path, id, bytes: size }: WipedDevice,
  method: DeviceCleaning,
  run: RunCommand,
  signal: AbortSignal,
): Promise<string> {
  if (method === 'none') {
    return `${formatBytes(size)} left as they are`;
  }
  const use = await whoUses(path);
  if (use !== undefined) {
    throw new Error(`${path}: ${use}`);
  }
  // As long as it is held, the kernel gives its name to no other device.
  const handle = await open(path, constants.O_RDWR);
  try {
    const facts = await readDevice(deviceNumber(await handle.stat({ bigint: true })));
    const disks = await listDisks(run)();
    if (facts?.bytes !== size || (await mediumOfDevice(facts, disks, run)).id !== id) {
      throw new Error(`${path} is not the device any more that was found there`);
    }
    // Also makes the kernel forget partitions that were made on it. Refused while it is in use.
    await run('wipefs', ['--all', path], signal);
    if (method === 'quick') {
      await overwrite(handle, 0, Math.min(endBytes, size), signal);
      await overwrite(handle, Math.max(0, size - endBytes), size, signal);
      await handle.sync();
      return 'its signatures, and a MiB at both ends, are wiped; all else is left as it was';
    }
    if (method === 'discard' && (await discarded(path, run, signal))) {
      return `${formatBytes(size)} read as zeros, discarded where the device can do that`;
    }
    await overwrite(handle, 0, size, signal);
    await handle.sync();
    return `${formatBytes(size)} overwritten with zeros`;
  } finally {
    await handle.close();
  }
}

/** Left to the device, which can be much faster; it must read as zeros in any case. */
async function discarded(path: string, run: RunCommand, signal: AbortSignal): Promise<boolean> {
  try {
    await run('blkdiscard', ['--zeroout', path], signal);
    return true;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

async function overwrite(
  handle: Awaited<ReturnType<typeof open>>,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<void> {
  const zeros = Buffer.alloc(chunkBytes);
  for (let at = from; at < to;) {
    signal.throwIfAborted();
    const { bytesWritten } = await handle.write(zeros, 0, Math.min(chunkBytes, to - at), at);
    at += bytesWritten;
  }
}
