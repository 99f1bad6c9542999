import type { Disk } from '../model/disk.ts';
import type { Now } from '../usecases/ports.ts';
import type { ListDisks } from './block-devices.ts';
import { signsOfDisks, signsOfUse, type IsWatched } from './disk-signs.ts';

/** The disks of this machine, for those who must see them as they are and for those who look often. */
export interface RememberedDisks {
  /** Looks, always. */
  readonly now: ListDisks;
  /** Looks only where something has changed since anybody looked last. */
  readonly known: ListDisks;
  /**
   * Looks only where a disk has come, gone, grown or become another one, and after a minute. Which
   * disks there are is right, with their paths, ids and sizes; what is on them, and who uses them,
   * may have changed since.
   */
  readonly present: ListDisks;
  /** Whether `known` would look. Starts no program. */
  readonly isOutdated: () => Promise<boolean>;
  /** One text as long as `known` would show the same. Starts no program. */
  readonly version: () => Promise<string>;
  /** Something has changed that the kernel's lists do not show, such as what is on a disk. */
  readonly forget: () => void;
}

interface LastLook {
  readonly disks: readonly Disk[];
  readonly version: string;
  readonly signs: string;
  readonly at: number;
}

/** A disk that a person has wiped, where no udev tells of it, is seen as what it is after this. */
const oldestMs = 60_000;

export function rememberedDisks(
  list: ListDisks,
  isWatched: IsWatched,
  clock: Now,
): RememberedDisks {
  let last: LastLook | undefined;
  let forgotten = 0;

  const version = async (): Promise<string> => {
    const before = forgotten;
    const signs = await Promise.all([signsOfDisks(isWatched), signsOfUse(isWatched)]);
    return [before, ...signs].join('\n');
  };

  async function now(): Promise<readonly Disk[]> {
    // All read before looking: what changes meanwhile is looked at again.
    const at = clock();
    const [seen, signs] = await Promise.all([version(), signsOfDisks(isWatched)]);
    const disks = await list();
    last = { disks, version: seen, signs, at };
    return disks;
  }

  async function isOutdated(): Promise<boolean> {
    return last?.version !== (await version());
  }

  async function isPresent({ signs, at }: LastLook): Promise<boolean> {
    return clock() - at < oldestMs && signs === (await signsOfDisks(isWatched));
  }

  return {
    now,
    isOutdated,
    version,
    known: async () => {
      const before = last;
      return before?.version === (await version()) ? before.disks : now();
    },
    present: async () => {
      const before = last;
      return before !== undefined && (await isPresent(before)) ? before.disks : now();
    },
    forget: () => {
      forgotten += 1;
    },
  };
}
