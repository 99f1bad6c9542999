import { formatBytes, MiB, type Bytes } from '../model/bytes.ts';
import { parseQuantity } from '../model/quantity.ts';
import { err, ok, type Result } from '../model/result.ts';
import { shown } from '../model/shown.ts';
import { parseDirectory, parseObject, unknownFields } from './shared/options.ts';

export interface LoopOptions {
  readonly directory: string;
  /** All that volumes may occupy together. */
  readonly limit: Bytes;
  /** `preallocated` images have all their blocks from the start, `sparse` ones when written. */
  readonly allocation: Allocation;
}

const allocations = ['preallocated', 'sparse'] as const;
export type Allocation = (typeof allocations)[number];

const leastPoolBytes = 16 * MiB;

/** @returns the options, or every mistake: field, value and what is allowed */
export function parseLoopOptions(source: unknown): Result<LoopOptions, string> {
  const object = parseObject('loop', source, ['directory', 'size']);
  if (!object.ok) {
    return object;
  }
  const fields = object.value;
  const directory = parseDirectory('loop.directory', fields['directory']);
  const limit = parseLimit(fields['size']);
  const allocation = parseAllocation(fields['allocation']);
  const unknown = unknownFields('loop', fields, ['directory', 'size', 'allocation']);
  if (directory.ok && limit.ok && allocation.ok && unknown.length === 0) {
    return ok({ directory: directory.value, limit: limit.value, allocation: allocation.value });
  }
  const wrong = [directory, limit, allocation].flatMap((each) => (each.ok ? [] : [each.error]));
  return err([...wrong, ...unknown].join('; '));
}

function parseAllocation(allocation: unknown): Result<Allocation, string> {
  const known = allocations.find((each) => each === (allocation ?? allocations[0]));
  return known === undefined
    ? err(`loop.allocation is ${shown(allocation)}: allowed are ${allocations.join(', ')}`)
    : ok(known);
}

function parseLimit(size: unknown): Result<Bytes, string> {
  const parsed = parseQuantity(
    typeof size === 'number' || typeof size === 'string' ? String(size) : '',
  );
  if (!parsed.ok) {
    return err(`loop.size is ${shown(size)}: a size such as 100Gi is required`);
  }
  return parsed.value >= leastPoolBytes
    ? parsed
    : err(
        `loop.size is ${shown(size)}: at least ${formatBytes(leastPoolBytes as Bytes)} is allowed`,
      );
}
