import { minusBytes, type Bytes } from '../../model/bytes.ts';
import { NoSpaceError } from '../../model/errors.ts';
import {
  hasLimits,
  whyBeyondLimits,
  whyBeyondReserve,
  withinLimits,
  type PoolLimits,
} from '../../model/pool-limits.ts';
import { oneAtATime } from '../../usecases/one-at-a-time.ts';
import type { StorageBackend } from '../../usecases/ports.ts';

/** The same pool, with less to give: what the operator keeps back does not exist for volumes. */
export function limited(
  storage: StorageBackend,
  { pool, limits }: { readonly pool: string; readonly limits: PoolLimits },
  allocatedFor: (wanted: Bytes) => Bytes,
): StorageBackend {
  if (!hasLimits(limits)) {
    return storage;
  }
  // What is measured must still be true when the volume is made.
  const inTurn = oneAtATime();
  const refuse = (why: string | undefined): void => {
    if (why !== undefined) {
      throw new NoSpaceError(`pool ${pool}: ${why}`);
    }
  };
  return {
    ...storage,
    usage: async (signal) => withinLimits(await storage.usage(signal), limits),
    ensure: (request, signal) =>
      inTurn(async () => {
        const room = await storage.usage(signal);
        const why = whyBeyondLimits(room, limits, allocatedFor(request.bytes));
        // What is there already has its place.
        if (why !== undefined && (await storage.find(request, signal)) === undefined) {
          refuse(why);
        }
        return storage.ensure(request, signal);
      }),
    grow: (request, signal) =>
      inTurn(async () => {
        const there = await storage.find(request, signal);
        if (there !== undefined && there.bytes < request.bytes) {
          const more = minusBytes(allocatedFor(request.bytes), there.allocatedBytes);
          refuse(whyBeyondReserve(await storage.usage(signal), limits, more));
        }
        return storage.grow(request, signal);
      }),
  };
}
