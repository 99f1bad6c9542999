import type { DiskInPool, StorageBackend } from '../../usecases/ports.ts';

/**
 * Which pool of this node has which disk, as the pools said last. Marks on the disks prove whose
 * they are; this is for the other pools, which cannot read each mark.
 */
export class DiskOwners {
  readonly #disks = new Map<string, ReadonlySet<string>>();
  readonly #spoken = new Set<string>();
  readonly #isPool: (name: string) => boolean;

  /** @param isPool - whether the node still has a pool of that name */
  constructor(isPool: (name: string) => boolean) {
    this.#isPool = isPool;
  }

  /** The pool, other than `pool`, that has the disk with this id. */
  otherThan(pool: string, id: string): string | undefined {
    const others = [...this.#disks].filter(([name, ids]) => name !== pool && ids.has(id));
    return others.map(([name]) => name).find(this.#isPool);
  }

  /** Whether the pool has said which disks it has, since this process began. */
  hasSpoken(pool: string): boolean {
    return this.#spoken.has(pool);
  }

  took(pool: string, id: string): void {
    this.#disks.set(pool, new Set([...(this.#disks.get(pool) ?? []), id]));
  }

  saw(pool: string, disks: readonly DiskInPool[]): void {
    const own = disks.filter(({ state }) => state !== 'refused');
    this.#disks.set(pool, new Set(own.map(({ id }) => id)));
    this.#spoken.add(pool);
  }
}

/** The same pool; whenever it says which disks it has, `owners` hears it. */
export function tellingOwners(
  storage: StorageBackend,
  pool: string,
  owners: DiskOwners,
): StorageBackend {
  return {
    ...storage,
    usage: async (signal) => {
      const usage = await storage.usage(signal);
      owners.saw(pool, usage.disks ?? []);
      return usage;
    },
  };
}
