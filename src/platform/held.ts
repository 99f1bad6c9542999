import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { errorCode, ifThere } from './files.ts';

/**
 * An exclusive open fails while a block device is mounted, in whatever mount namespace, or belongs
 * to another device: the kernel itself holds it exclusively then.
 *
 * @throws Error while anybody uses the device so
 */
export async function refuseIfHeld(path: string): Promise<void> {
  const holders = await holdersOf(basename(path));
  if (holders.length > 0) {
    throw new Error(`${path} is in use by ${holders.join(', ')}`);
  }
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_EXCL);
    await handle.close();
  } catch (error) {
    if (errorCode(error) === 'EBUSY') {
      throw new Error(`${path} is mounted, or in use otherwise`, { cause: error });
    }
    throw error;
  }
}

/**
 * The devices that are made of a device, such as an encrypted volume.
 *
 * @param name - the kernel's, such as `dm-3`
 */
export async function holdersOf(name: string): Promise<readonly string[]> {
  return (await ifThere(readdir(`/sys/class/block/${name}/holders`))) ?? [];
}
