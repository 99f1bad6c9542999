import { formatBytes, type Bytes } from '../model/bytes.ts';
import { parseQuantity } from '../model/quantity.ts';
import { err, ok, type Result } from '../model/result.ts';
import { shown } from '../model/shown.ts';
import type { Wants } from './instance.ts';
import type { Json, Plan, SizeRule } from './plan.ts';

type Parameters = Readonly<Record<string, Json>>;

/** What an instance of this plan with these parameters, which fit its schema, is made of. */
export function wantsOf(plan: Plan, parameters: Parameters): Result<Wants, string> {
  const size = askedSize(plan.size, parameters['size']);
  if (!size.ok) {
    return size;
  }
  const { count } = parameters;
  return ok({
    ...rulesOf(plan),
    bytes: size.value ?? usualSize(plan.size),
    count: typeof count === 'number' ? count : plan.count.usual,
  });
}

/** All that a plan settles alone. */
export function rulesOf(plan: Plan): Omit<Wants, 'bytes' | 'count'> {
  const { storageClass, spread, volumeMode, cpu, memory, placement } = plan;
  const { placeholder, inUse, retainMs, patienceMs } = plan;
  return {
    ...{ storageClass, spread, volumeMode, placement, placeholder, inUse, retainMs, patienceMs },
    ...(cpu !== undefined && { cpu }),
    ...(memory !== undefined && { memory }),
  };
}

/** @returns nothing where no size was asked for */
export function askedSize(
  rule: SizeRule,
  asked: Json | undefined,
): Result<Bytes | undefined, string> {
  if (asked === undefined || rule.kind === 'fixed') {
    return ok(undefined);
  }
  const read = typeof asked === 'string' ? parseQuantity(asked) : err(`it is ${shown(asked)}`);
  if (!read.ok) {
    return err(`parameters.size: ${read.error}`);
  }
  const { least, most } = rule;
  return read.value < least || read.value > most
    ? err(
        `parameters.size is ${shown(asked)}: from ${formatBytes(least)} to ${formatBytes(most)} is allowed`,
      )
    : ok(read.value);
}

function usualSize(rule: SizeRule): Bytes {
  return rule.kind === 'fixed' ? rule.bytes : rule.usual;
}
