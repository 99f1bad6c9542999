import { bytes, formatBytes, MiB, type Bytes } from '../model/bytes.ts';
import { parseQuantity } from '../model/quantity.ts';
import { err, ok, type Result } from '../model/result.ts';
import { shown } from '../model/shown.ts';
import { parseObject, unknownFields } from './shared/options.ts';

export interface ThinOptions {
  /** How often what the pool really has may be promised. */
  readonly overcommit: number;
  readonly size: ThinSize;
  /** The part of data or metadata, 0 to 1, from which on somebody is warned. */
  readonly warnAt: number;
  /** The part from which on nothing new is made. */
  readonly refuseAt: number;
}

/** Of the thin pool: bytes, or a part of the volume group. */
export type ThinSize = { readonly bytes: Bytes } | { readonly part: number };

const knownThin = ['overcommit', 'size', 'warnAt', 'refuseAt'];

type Fields = Readonly<Record<string, unknown>>;

/** @returns what stands below `lvm.thin`, or every mistake */
export function parseThin(source: unknown): Result<ThinOptions, string> {
  const object = parseObject('lvm.thin', source, []);
  if (!object.ok) {
    return object;
  }
  const fields = object.value;
  const overcommit = parseOvercommit(fields['overcommit'] ?? '1.0');
  const size = parseThinSize(fields['size'] ?? '90%');
  const limits = parseLimits(fields);
  const unknown = unknownFields('lvm.thin', fields, knownThin);
  if (overcommit.ok && size.ok && limits.ok && unknown.length === 0) {
    return ok({ overcommit: overcommit.value, size: size.value, ...limits.value });
  }
  const wrong = [overcommit, size, limits].flatMap((each) => (each.ok ? [] : [each.error]));
  return err([...wrong, ...unknown].join('; '));
}

function parseLimits(fields: Fields): Result<Pick<ThinOptions, 'warnAt' | 'refuseAt'>, string> {
  const warnAt = parsePart('lvm.thin.warnAt', fields['warnAt'] ?? '80%');
  const refuseAt = parsePart('lvm.thin.refuseAt', fields['refuseAt'] ?? '90%');
  if (!warnAt.ok || !refuseAt.ok) {
    const wrong = [warnAt, refuseAt].flatMap((each) => (each.ok ? [] : [each.error]));
    return err(wrong.join('; '));
  }
  return warnAt.value <= refuseAt.value
    ? ok({ warnAt: warnAt.value, refuseAt: refuseAt.value })
    : err('lvm.thin.warnAt is above lvm.thin.refuseAt: at most the same is allowed');
}

const mostOvercommit = 100;

function parseOvercommit(value: unknown): Result<number, string> {
  const ratio = typeof value === 'string' && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value;
  return typeof ratio === 'number' && ratio >= 1 && ratio <= mostOvercommit
    ? ok(ratio)
    : err(
        `lvm.thin.overcommit is ${shown(value)}: a number from 1.0 to ${mostOvercommit}, such as "1.5", is allowed`,
      );
}

function parseThinSize(value: unknown): Result<ThinSize, string> {
  const part = parsePart('', value);
  const text = typeof value === 'number' || typeof value === 'string' ? String(value) : '';
  const size = parseQuantity(text);
  if (part.ok) {
    return ok({ part: part.value });
  }
  return size.ok && size.value >= leastThinBytes
    ? ok({ bytes: size.value })
    : err(
        `lvm.thin.size is ${shown(value)}: a size of at least ${formatBytes(bytes(leastThinBytes))}, or a part of the volume group such as 90%, is allowed`,
      );
}

const leastThinBytes = 16 * MiB;

function parsePart(field: string, value: unknown): Result<number, string> {
  const match = typeof value === 'string' ? /^([1-9]\d?|100)%$/.exec(value) : null;
  return match === null
    ? err(`${field} is ${shown(value)}: a part from 1% to 100% is allowed`)
    : ok(Number(match[1]) / 100);
}
