import fc from 'fast-check';
import { bytes } from '../../src/model/bytes.ts';
import type { PoolReport } from '../../src/model/pool.ts';

/** Any size, small ones and the edges as often as large ones. */
export const aSize = fc
  .oneof(
    fc.integer({ min: 0, max: 5_000 }),
    fc.integer({ min: 0, max: 2 ** 40 }),
    fc.maxSafeNat(),
    fc.integer({ min: 0, max: 52 }).map((power) => 2 ** power - 1),
  )
  .map(bytes);

/** Any report that an agent may write. */
export const aReport: fc.Arbitrary<PoolReport> = fc
  .record({
    total: aSize,
    freeShare: fc.double({ min: 0, max: 1, noNaN: true }),
    largestShare: fc.double({ min: 0, max: 1, noNaN: true }),
    generation: fc.maxSafeNat(),
    healthy: fc.boolean(),
  })
  .map(({ total, freeShare, largestShare, generation, healthy }) => ({
    total,
    free: bytes(Math.floor(total * freeShare)),
    largest: bytes(Math.floor(total * largestShare)),
    generation,
    healthy,
  }));
