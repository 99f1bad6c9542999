import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ifThere } from './files.ts';

/**
 * The kernel's names of the devices that a device lies on, however deep, and that are gone. A disk
 * that comes back is another device to the kernel: what lay on it goes on leading to the one that is gone.
 * Runs no program.
 *
 * @param name - the kernel's, such as `dm-3`
 */
export async function lostBelow(
  name: string,
  block = '/sys/class/block',
): Promise<readonly string[]> {
  const folder = join(block, name, 'slaves');
  const slaves = (await ifThere(readdir(folder))) ?? [];
  const lost = slaves.map(async (slave) => {
    // A link that the kernel leaves there, to a folder that it has removed.
    const isGone = (await ifThere(stat(join(folder, slave)))) === undefined;
    return isGone ? [slave] : lostBelow(slave, block);
  });
  return [...new Set((await Promise.all(lost)).flat())];
}
