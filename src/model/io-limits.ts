import type { Bytes } from './bytes.ts';
import { parseQuantity } from './quantity.ts';

/** How fast one pod may use one volume; what is missing has no limit. */
export interface IoLimits {
  readonly readIops?: number;
  readonly writeIops?: number;
  readonly readBytesPerSecond?: Bytes;
  readonly writeBytesPerSecond?: Bytes;
}

const parsers = {
  readIops: parseIops,
  writeIops: parseIops,
  readBytesPerSecond: parseRate,
  writeBytesPerSecond: parseRate,
} as const satisfies Record<keyof IoLimits, (text: string) => number | string>;

export const ioLimitNames = Object.keys(parsers) as readonly (keyof IoLimits)[];

/** What the kernel can count; one more would be none. */
const mostIops = 2 ** 32 - 2;
/** Less than one page in a second is a forgotten unit, and stops whatever is limited so. */
const leastRate = 4096;

/**
 * Reads the limits among the parameters of a class.
 *
 * @param mistakes - gets every mistake: parameter, value and what is allowed
 */
export function parseIoLimits(
  given: Readonly<Record<string, string>>,
  mistakes: string[],
): { readonly ioLimits?: IoLimits } {
  const set: [string, number][] = [];
  for (const name of ioLimitNames) {
    const text = given[name];
    const limit = text === undefined ? undefined : parsers[name](text);
    if (typeof limit === 'string') {
      mistakes.push(`${name} is "${text}": ${limit}`);
    } else if (limit !== undefined) {
      set.push([name, limit]);
    }
  }
  return set.length === 0 ? {} : { ioLimits: Object.fromEntries(set) };
}

function parseIops(text: string): number | string {
  const count = /^[1-9]\d{0,9}$/.test(text) ? Number(text) : Infinity;
  return count <= mostIops ? count : `a whole number from 1 to ${mostIops} is allowed`;
}

function parseRate(text: string): number | string {
  const rate = parseQuantity(text);
  return rate.ok && rate.value >= leastRate
    ? rate.value
    : 'a size of at least 4Ki is allowed, such as 100Mi';
}

/** What holds where several limits meet: the lowest one of each kind. */
export function strictest(all: readonly IoLimits[]): IoLimits {
  const set = ioLimitNames.flatMap((name) => {
    const given = all.map((limits) => limits[name]).filter((limit) => limit !== undefined);
    return given.length === 0 ? [] : [[name, Math.min(...given)] as const];
  });
  return Object.fromEntries(set);
}
