import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { WayDown } from '../model/lvm-state.ts';
import { ifThere } from './files.ts';

/**
 * What a device lies on, however deep. A disk that comes back is another device to the kernel: what
 * lay on it goes on leading to the one that is gone. Runs no program.
 *
 * @param name - the kernel's, such as `dm-3`
 */
export async function wayDown(name: string, block = '/sys/class/block'): Promise<WayDown> {
  const folder = join(block, name, 'slaves');
  const ways = ((await ifThere(readdir(folder))) ?? []).map(async (slave): Promise<WayDown> => {
    // A link that the kernel leaves there, to a folder that it has removed.
    if ((await ifThere(stat(join(folder, slave)))) === undefined) {
      return { lost: [slave], there: [] };
    }
    const below = await wayDown(slave, block);
    const isLast = below.lost.length + below.there.length === 0;
    return isLast ? { lost: [], there: [slave] } : below;
  });
  const all = await Promise.all(ways);
  const distinct = (names: readonly string[]): readonly string[] => [...new Set(names)];
  return {
    lost: distinct(all.flatMap(({ lost }) => lost)),
    there: distinct(all.flatMap(({ there }) => there)),
  };
}
