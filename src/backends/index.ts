import type { Bytes } from '../model/bytes.ts';
import { parseDeviceSelector, type DeviceSelector } from '../model/device-selector.ts';
import { discoveryBackend } from '../model/discovery.ts';
import { parseKeepFor } from '../model/keep-for.ts';
import { parseLimits, type PoolLimits } from '../model/pool-limits.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { Backend, PoolPlan } from './backend.ts';
import { btrfs } from './btrfs.ts';
import { device } from './device.ts';
import { directory } from './directory.ts';
import { loop } from './loop.ts';
import { lvm } from './lvm.ts';
import { partition } from './partition.ts';

/** Every backend an operator can name in a StoragePool. The only list of them. */
export const backends = {
  loop,
  partition,
  device,
  btrfs,
  directory,
  lvm,
} as const satisfies Record<string, Backend>;

export type BackendName = keyof typeof backends;
export const backendNames = Object.keys(backends) as readonly BackendName[];

export interface DeclaredPool extends PoolPlan {
  readonly backend: BackendName;
  /** The disks it may take, where its backend takes any. */
  readonly devices: DeviceSelector | undefined;
  readonly limits: PoolLimits;
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
    const allowed = [...backendNames, discoveryBackend].join(', ');
    return err(`backend is ${given}: allowed are ${allowed}`);
  }
  const devices = parseDevices(fields['devices']);
  const plan = devices.ok ? backends[name].parse(fields[name], devices.value) : devices;
  const keepForMs = parseOrphans(fields['orphans']);
  const limits = parseLimits(fields);
  const others = optionsOfOthers(name, fields);
  if (plan.ok && devices.ok && keepForMs.ok && limits.ok && others.length === 0) {
    const common = { devices: devices.value, limits: limits.value, keepForMs: keepForMs.value };
    return ok({ ...plan.value, ...common, backend: name });
  }
  const mistakes = [plan, keepForMs, limits].flatMap((each) => (each.ok ? [] : [each.error]));
  return err([...mistakes, ...others].join('; '));
}

function parseOrphans(given: unknown): Result<number, string> {
  const { keepFor } = (given ?? {}) as Readonly<Record<string, unknown>>;
  return parseKeepFor(keepFor);
}

function parseDevices(given: unknown): Result<DeviceSelector | undefined, string> {
  return given === undefined ? ok(undefined) : parseDeviceSelector(given);
}

function optionsOfOthers(
  name: string,
  fields: Readonly<Record<string, unknown>>,
): readonly string[] {
  return [...Object.keys(backends), discoveryBackend]
    .filter((other) => other !== name && fields[other] !== undefined)
    .map((other) => `${other} is set: only options of backend ${name} are allowed here`);
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
