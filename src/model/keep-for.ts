import { err, ok, type Result } from './result.ts';
import { shown } from './shown.ts';

const unitsMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** How long orphans of a pool are kept where its StoragePool does not say. */
const usualKeepForMs = 7 * 86_400_000;

/**
 * Reads `StoragePool.spec.orphans.keepFor`: a duration such as `10m`, `48h` or `7d`, or `forever`.
 *
 * @returns milliseconds, `Infinity` for ever, or a text that names value and what is allowed
 */
export function parseKeepFor(text: unknown): Result<number, string> {
  if (text === undefined) {
    return ok(usualKeepForMs);
  }
  if (text === 'forever') {
    return ok(Infinity);
  }
  const match = typeof text === 'string' ? /^([1-9]\d{0,6})([smhd])$/.exec(text) : null;
  return match
    ? ok(Number(match[1]) * (unitsMs[match[2] ?? ''] ?? NaN))
    : err(
        `orphans.keepFor is ${shown(text)}: a duration of at least 1s such as 10m, 48h or 7d is allowed, or forever`,
      );
}

/** A span of time for people, in its largest unit: `7d`, `36h`, `10m`. */
export function formatSpan(ms: number): string {
  const [unit, size] = Object.entries(unitsMs)
    .reverse()
    .find(([, each]) => ms >= each * 2 || ms === each) ?? ['s', 1_000];
  return ms === Infinity ? 'forever' : `${Math.floor(ms / size)}${unit}`;
}
