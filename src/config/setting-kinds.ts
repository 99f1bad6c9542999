import type { Bytes } from '../model/bytes.ts';
import { parseDuration } from '../model/duration.ts';
import { parseQuantity } from '../model/quantity.ts';
import { err, ok } from '../model/result.ts';
import type { Setting } from './settings.ts';

type Text = Pick<Setting<string>, 'help'> & { readonly fallback?: string };

export function text(spec: Text & { readonly shown: string }): Setting<string> {
  return { ...spec, parse: (value) => ok(value) };
}

/** A whole number within bounds, both ends allowed. */
function wholeNumber(
  spec: Text & { readonly shown?: string; readonly least: number; readonly most: number },
): Setting<number> {
  const { least, most } = spec;
  return {
    shown: '<n>',
    ...spec,
    parse: (value) => {
      const n = Number(value);
      const fine = /^\d+$/.test(value) && Number.isSafeInteger(n) && n >= least && n <= most;
      return fine ? ok(n) : err(`a whole number from ${least} to ${most} is allowed`);
    },
  };
}

export function port(spec: Text): Setting<number> {
  return wholeNumber({ ...spec, shown: '<port>', least: 0, most: 65_535 });
}

/** A duration such as `250ms`, `40s` or `2m`; the value is in milliseconds. */
export function duration(
  spec: Text & { readonly leastMs: number; readonly mostMs: number },
): Setting<number> {
  const { leastMs, mostMs } = spec;
  return {
    shown: '<duration>',
    ...spec,
    parse: (value) => {
      const ms = parseDuration(value) ?? NaN;
      return ms >= leastMs && ms <= mostMs
        ? ok(ms)
        : err(`a duration from ${leastMs}ms to ${mostMs}ms is allowed, such as 40s or 2m`);
    },
  };
}

/** A size such as `10Gi`. */
export function size(spec: Text): Setting<Bytes> {
  return {
    shown: '<size>',
    ...spec,
    parse: (value) => {
      const read = parseQuantity(value);
      return read.ok && read.value > 0 ? read : err('a size above 0 such as 10Gi is allowed');
    },
  };
}

export function choice<T extends string>(spec: Text & { readonly of: readonly T[] }): Setting<T> {
  return {
    ...spec,
    shown: `<${spec.of.join('|')}>`,
    parse: (value) =>
      (spec.of as readonly string[]).includes(value)
        ? ok(value as T)
        : err(`allowed are ${spec.of.join(', ')}`),
  };
}

/** A comma-separated list; empty text is the empty list. */
export function list(spec: Text & { readonly shown: string }): Setting<readonly string[]> {
  return {
    ...spec,
    parse: (value) =>
      ok(
        value
          .split(',')
          .map((part) => part.trim())
          .filter((part) => part !== ''),
      ),
  };
}

export function onOff(spec: Text): Setting<boolean> {
  return {
    ...spec,
    shown: '',
    isSwitch: true,
    fallback: spec.fallback ?? 'false',
    parse: (value) =>
      value === 'true' || value === 'false'
        ? ok(value === 'true')
        : err('true or false is allowed'),
  };
}
