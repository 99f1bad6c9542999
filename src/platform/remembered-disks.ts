import { readFile } from 'node:fs/promises';
import type { Disk } from '../model/disk.ts';
import type { ListDisks } from './block-devices.ts';
import { ifThere } from './files.ts';

/** The disks of this machine, for those who must see them as they are and for those who look often. */
export interface RememberedDisks {
  /** Looks, always. */
  readonly now: ListDisks;
  /** Looks only where something has changed since anybody looked last. */
  readonly known: ListDisks;
  /** Whether `known` would look. Starts no program. */
  readonly isOutdated: () => Promise<boolean>;
  /** One text as long as `known` would show the same. Starts no program. */
  readonly version: () => Promise<string>;
  /** Something has changed that the kernel's lists do not show, such as what is on a disk. */
  readonly forget: () => void;
}

/**
 * @param isWatched - whether it matters that a device comes, goes or grows, by its kernel name
 */
export function rememberedDisks(
  list: ListDisks,
  isWatched: (kname: string) => boolean,
): RememberedDisks {
  let last: { readonly disks: readonly Disk[]; readonly signs: string } | undefined;
  let forgotten = 0;

  async function now(): Promise<readonly Disk[]> {
    const before = forgotten;
    const signs = await signsOfChange(isWatched);
    const disks = await list();
    last = forgotten === before ? { disks, signs } : undefined;
    return disks;
  }

  async function isOutdated(): Promise<boolean> {
    return last?.signs !== (await signsOfChange(isWatched));
  }

  return {
    now,
    isOutdated,
    version: async () => `${forgotten} ${await signsOfChange(isWatched)}`,
    known: async () => {
      const isOld = await isOutdated();
      return last === undefined || isOld ? now() : last.disks;
    },
    forget: () => {
      forgotten += 1;
      last = undefined;
    },
  };
}

/** Which devices there are, how big, and which of them are mounted or used as swap, as one text. */
async function signsOfChange(isWatched: (kname: string) => boolean): Promise<string> {
  const [partitions, swaps, mounts] = await Promise.all([
    readFile('/proc/partitions', 'utf8'),
    ifThere(readFile('/proc/swaps', 'utf8')),
    readFile('/proc/self/mountinfo', 'utf8'),
  ]);
  const devices = partitions.split('\n').filter((line) => {
    const kname = line.trim().split(/\s+/)[3];
    return kname !== undefined && isWatched(kname);
  });
  // Pods mount the same device many times; what matters is whether it is mounted at all.
  const sources = mounts
    .split('\n')
    .flatMap((line) => / - \S+ (\/dev\/\S+) /.exec(line)?.[1] ?? []);
  const mounted = [...new Set(sources)].filter((path) => isWatched(path.slice('/dev/'.length)));
  return [...devices, swaps ?? '', ...mounted.sort()].join('\n');
}
