import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { formatBytes, type Bytes } from '../model/bytes.ts';
import type { DeviceCleaning } from '../model/discovery.ts';
import { listDisks } from '../platform/block-devices.ts';
import { deviceNumber, readDevice, whoUses } from '../platform/device-facts.ts';
import { loopDevices } from '../platform/loop-devices.ts';
import type { RunCommand } from '../platform/run-command.ts';
import { isKnownAs, mediumOfDevice } from './discovery-medium.ts';
import { eraseDevice } from './shared/erase-device.ts';

export interface WipedDevice {
  /** The kernel's path of it. */
  readonly path: string;
  /** What leads to it in the directory. */
  readonly entry: string;
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
  { path, entry, id, bytes: size }: WipedDevice,
  method: DeviceCleaning,
  run: RunCommand,
  signal: AbortSignal,
): Promise<string> {
  if (method === 'none') {
    return `${formatBytes(size)} left as they are`;
  }
  const use = await whoUses({ path, names: [entry] }, await loopDevices(run).list());
  if (use !== undefined) {
    throw new Error(`${path}: ${use}`);
  }
  // As long as it is held, the kernel gives its name to no other device.
  const handle = await open(path, constants.O_RDWR);
  try {
    const facts = await readDevice(deviceNumber(await handle.stat({ bigint: true })));
    const disks = await listDisks(run)();
    if (facts?.bytes !== size || !isKnownAs(id, await mediumOfDevice(facts, disks, run))) {
      throw new Error(`${path} is not the device any more that was found there`);
    }
    // Also makes the kernel forget partitions that were made on it. Refused while it is in use.
    await run('wipefs', ['--all', path], signal);
    return await eraseDevice(path, method === 'quick' ? 'none' : method, run, signal);
  } finally {
    await handle.close();
  }
}
