import type { Bytes } from '../../model/bytes.ts';
import { NoSpaceError } from '../../model/errors.ts';
import { whyBeyondLimits, withinLimits, type PoolLimits } from '../../model/pool-limits.ts';
import { oneAtATime } from '../../usecases/one-at-a-time.ts';
import type { StorageBackend } from '../../usecases/ports.ts';

/** The same pool, with less to give: what the operator keeps back does not exist for volumes. */
export function limited(
  storage: StorageBackend,
  { pool, limits }: { readonly pool: string; readonly limits: PoolLimits },
  allocatedFor: (wanted: Bytes) => Bytes,
): StorageBackend {
  // What is measured must still be true when the volume is made.
  const inTurn = oneAtATime();
  return {
    ...storage,
    usage: async (signal) => withinLimits(await storage.usage(signal), limits),
    ensure: (request, signal) =>
      inTurn(async () => {
        if ((await storage.find(request, signal)) === undefined) {
          const room = await storage.usage(signal);
          const why = whyBeyondLimits(room, limits, allocatedFor(request.bytes));
          if (why !== undefined) {
            throw new NoSpaceError(`pool ${pool}: ${why}`);
          }
        }
        return storage.ensure(request, signal);
      }),
  };
}
