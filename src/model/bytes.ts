declare const unit: unique symbol;

/**
 * A whole, non-negative number of bytes, below 2^53 (8 PiB).
 *
 * Every size in this program has this type. Gi exists only in text written for
 * people and in `parseQuantity`, where Kubernetes' strings come in.
 */
export type Bytes = number & { readonly [unit]: 'bytes' };

/** @throws RangeError if `n` is negative, fractional or above 2^53 - 1. */
export function bytes(n: number): Bytes {
  if (!Number.isSafeInteger(n) || n < 0) {
    throw new RangeError(`not a byte count: ${n}`);
  }
  return n as Bytes;
}

export function isBytes(n: unknown): n is Bytes {
  return typeof n === 'number' && Number.isSafeInteger(n) && n >= 0;
}

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

/**
 * The sum of sizes. One above 2^53 - 1 counts as just that: sums of what users ask for are only
 * compared with what pools have, and an absurd wish must not break the comparison.
 */
export function sumBytes(sizes: Iterable<Bytes>): Bytes {
  let total = 0;
  for (const size of sizes) {
    total += size;
  }
  return bytes(Math.min(total, Number.MAX_SAFE_INTEGER));
}

/** `a - b`, or 0 where that would be negative: a pool that is over-full has nothing free. */
export function minusBytes(a: Bytes, b: number): Bytes {
  return bytes(Math.max(0, a - b));
}

/** The smallest multiple of `unit` that is at least `size`. */
export function roundUp(size: Bytes, unit: number): Bytes {
  return bytes(Math.ceil(size / unit) * unit);
}

const suffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'] as const;

/**
 * A size for people, in the largest binary unit that keeps it at 1 or more, cut to two
 * decimals: `8Gi`, `1.5Gi`, `999Mi`. Rounded down, so that free space is never overstated.
 */
export function formatBytes(size: Bytes): string {
  let power = 0;
  let value: number = size;
  while (value >= 1024 && power < suffixes.length - 1) {
    value /= 1024;
    power += 1;
  }
  const shown = Math.floor(value * 100) / 100;
  return `${shown}${suffixes[power] ?? ''}`;
}
