import type { Now, PoolUsage, StorageBackend } from '../../usecases/ports.ts';

/** Looking at a pool may start programs; what it showed holds until something says that it may not. */
export interface Remembering {
  /** One text as long as nothing has changed that the pool's numbers may show. Starts no program. */
  readonly signs: () => Promise<string>;
  readonly now: Now;
}

/** Of pools that show nothing but what changes with the devices of the node. */
export const noSigns = (): Promise<string> => Promise.resolve('');

/** What nobody was told of, such as a volume that a person made in the same volume group, is seen after this. */
const oldestMs = 10 * 60_000;
/** A disk that was refused may be made blank by hand, which not every system tells. */
const oldestRefusedMs = 2 * 60_000;

/** The same pool; it is measured and listed anew only after a change, and never after a failure. */
export function remembered(storage: StorageBackend, { signs, now }: Remembering): StorageBackend {
  let changes = 0;

  /** Nothing where there are no signs to be read, as of a directory that is about to be made. */
  async function seenNow(): Promise<string | undefined> {
    const before = changes;
    try {
      return `${before} ${await signs()}`;
    } catch {
      return undefined;
    }
  }

  function kept<T>(
    look: (signal: AbortSignal) => Promise<T>,
    oldestOf: (value: T) => number,
  ): (signal: AbortSignal) => Promise<T> {
    let last: { readonly value: T; readonly seen: string; readonly until: number } | undefined;
    return async (signal) => {
      // Read before looking: what changes meanwhile is looked at again.
      const seen = await seenNow();
      if (seen !== undefined && last?.seen === seen && now() < last.until) {
        return last.value;
      }
      last = undefined;
      const at = now();
      const value = await look(signal);
      last = seen === undefined ? undefined : { value, seen, until: at + oldestOf(value) };
      return value;
    };
  }

  /** Counted before and after: what is seen meanwhile may be either. */
  async function changing<T>(act: () => Promise<T>): Promise<T> {
    changes += 1;
    try {
      return await act();
    } finally {
      changes += 1;
    }
  }

  return {
    ...storage,
    usage: kept((signal) => storage.usage(signal), oldestUsage),
    list: kept(
      (signal) => storage.list(signal),
      () => oldestMs,
    ),
    ensure: (request, signal) => changing(() => storage.ensure(request, signal)),
    grow: (request, signal) => changing(() => storage.grow(request, signal)),
    adopt: (from, to, signal) => changing(() => storage.adopt(from, to, signal)),
    attach: (identity, signal) => changing(() => storage.attach(identity, signal)),
    remove: (identity, erase, signal) => changing(() => storage.remove(identity, erase, signal)),
    removeStray: (name, erase, signal) => changing(() => storage.removeStray(name, erase, signal)),
  };
}

function oldestUsage({ disks = [] }: PoolUsage): number {
  return disks.some(({ state }) => state === 'refused') ? oldestRefusedMs : oldestMs;
}
