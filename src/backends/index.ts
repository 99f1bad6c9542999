import type { Bytes } from '../model/bytes.ts';
import { parseKeepFor } from '../model/keep-for.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { Backend, PoolPlan } from './backend.ts';
import { loop } from './loop.ts';

/** Every backend an operator can name in a StoragePool. The only list of them. */
export const backends = { loop } as const satisfies Record<string, Backend>;

export type BackendName = keyof typeof backends;
export const backendNames = Object.keys(backends) as readonly BackendName[];

export interface DeclaredPool extends PoolPlan {
  readonly backend: BackendName;
  /** How long orphans in it are kept: milliseconds, or `Infinity`. */
  readonly keepForMs: number;
}

/**
 * Reads the spec of a StoragePool as it stands in JSON; nothing about it has been checked yet.
 *
 * @returns what it means, or every mistake: field, value and what is allowed
 */
export function parsePoolSpec(spec: unknown): Result<DeclaredPool, string> {
  const fields = (spec ?? {}) as Readonly<Record<string, unknown>>;
  const name = backendNames.find((known) => known === fields['backend']);
  if (name === undefined) {
    const given = JSON.stringify(fields['backend']) ?? 'missing';
    return err(`backend is ${given}: allowed are ${backendNames.join(', ')}`);
  }
  const plan = backends[name].parse(fields[name]);
  const { keepFor } = (fields['orphans'] ?? {}) as Readonly<Record<string, unknown>>;
  const keepForMs = parseKeepFor(keepFor);
  if (plan.ok && keepForMs.ok) {
    return ok({ ...plan.value, backend: name, keepForMs: keepForMs.value });
  }
  return err([plan, keepForMs].flatMap((each) => (each.ok ? [] : [each.error])).join('; '));
}

/**
 * What a volume of `wanted` usable bytes occupies of the pool with this spec, overhead included.
 *
 * @returns the size, or why the spec cannot be read
 */
export function allocatedFor(spec: unknown, wanted: Bytes): Result<Bytes, string> {
  const pool = parsePoolSpec(spec);
  return pool.ok ? ok(pool.value.allocatedFor(wanted)) : pool;
}
