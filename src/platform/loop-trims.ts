import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { ifThere } from './files.ts';

/** Whether blocks that the user of a device trims are given back to the filesystem of its file. */
export type Trims = 'passed' | 'dropped';

const queueOf = (device: string): string => `/sys/block/${basename(device)}/queue`;

/**
 * May be repeated, for a device in use too. Never throws.
 *
 * @returns whether the device does so now; where it does not, an image keeps, or gives back, more than it should
 */
export async function setTrims(device: string, trims: Trims): Promise<boolean> {
  const limit = `${queueOf(device)}/discard_max_bytes`;
  try {
    const hardware = `${queueOf(device)}/discard_max_hw_bytes`;
    const wanted = trims === 'passed' ? await number(hardware) : 0;
    if ((await number(limit)) !== wanted) {
      await writeFile(limit, String(wanted));
    }
    return true;
  } catch {
    // A read-only /sys, or a kernel that does not turn them on again. Pools count holes in images as
    // promised space anyway.
    return false;
  }
}

/**
 * Some kernels, 6.18 among them, never again pass on the trims of a number for which they were once dropped, not even
 * for another file. Such numbers are remembered.
 *
 * @returns what finds a free device that passes them, or the next that there has never been: the kernel makes it when
 * asked
 */
export function devicesPassingTrims(): () => Promise<string> {
  const dropping = new Set<number>();

  async function isFreeAndPassing(each: number): Promise<boolean> {
    const folder = `/sys/block/loop${each}`;
    if ((await number(`${folder}/queue/discard_max_bytes`)) === 0) {
      dropping.add(each);
      return false;
    }
    return (await ifThere(readFile(`${folder}/loop/backing_file`))) === undefined;
  }

  return async () => {
    const numbers = (await readdir('/sys/block'))
      .flatMap((name) => /^loop(\d+)$/.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
    for (const each of numbers) {
      if (!dropping.has(each) && (await isFreeAndPassing(each))) {
        return `/dev/loop${each}`;
      }
    }
    return `/dev/loop${(numbers.at(-1) ?? -1) + 1}`;
  };
}

async function number(file: string): Promise<number> {
  return Number((await readFile(file, 'utf8')).trim());
}
