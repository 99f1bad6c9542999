import { isAbsolute, normalize } from 'node:path';
import { formatBytes, MiB, type Bytes } from '../model/bytes.ts';
import { parseQuantity } from '../model/quantity.ts';
import { err, ok, type Result } from '../model/result.ts';

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
  if (typeof source !== 'object' || source === null || Array.isArray(source)) {
    return err(`loop is ${show(source)}: an object with directory and size is required`);
  }
  const fields = source as Record<string, unknown>;
  const directory = parseDirectory(fields['directory']);
  const limit = parseLimit(fields['size']);
  const allocation = parseAllocation(fields['allocation']);
  if (directory.ok && limit.ok && allocation.ok) {
    return ok({ directory: directory.value, limit: limit.value, allocation: allocation.value });
  }
  const mistakes = [directory, limit, allocation].flatMap((each) => (each.ok ? [] : [each.error]));
  return err(mistakes.join('; '));
}

function parseDirectory(directory: unknown): Result<string, string> {
  const path = asText(directory).replace(/\/$/, '');
  return isAbsolute(path) && normalize(path) === path
    ? ok(path)
    : err(
        `loop.directory is ${show(directory)}: an absolute path without "." and ".." is required`,
      );
}

function parseAllocation(allocation: unknown): Result<Allocation, string> {
  const known = allocations.find((each) => each === (allocation ?? allocations[0]));
  return known === undefined
    ? err(`loop.allocation is ${show(allocation)}: allowed are ${allocations.join(', ')}`)
    : ok(known);
}

function parseLimit(size: unknown): Result<Bytes, string> {
  const parsed = parseQuantity(typeof size === 'number' ? String(size) : asText(size));
  if (!parsed.ok) {
    return err(`loop.size is ${show(size)}: a size such as 100Gi is required`);
  }
  return parsed.value >= leastPoolBytes
    ? parsed
    : err(
        `loop.size is ${show(size)}: at least ${formatBytes(leastPoolBytes as Bytes)} is allowed`,
      );
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? 'missing';
}
