import { maxPoolNameLength, poolNamePattern } from '../model/names.ts';
import { err, ok, type Result } from '../model/result.ts';

/** A StoragePool as it was declared; nothing about its spec has been checked yet. */
export interface PoolFacts {
  readonly name: string;
  readonly spec: unknown;
}

/** What of a pool can never change: what is in it would be lost sight of. */
export interface FixedParts {
  readonly backend: string;
  /** Missing for a pool of whatever disks its selector names. */
  readonly source?: string | undefined;
}

/** Reads a spec exactly as the agents do. */
export type ReadPool = (spec: unknown) => Result<FixedParts, string>;

/** Refuses a pool that no agent could build. */
export function checkPool({ name, spec }: PoolFacts, read: ReadPool): Result<undefined, string> {
  const pool = read(spec);
  return verdict(name, [...nameMistakes(name), ...(pool.ok ? [] : [pool.error])]);
}

/**
 * Refuses a change under which the volumes of a pool could no longer be found: they stay where
 * and what they were when they were made.
 */
export function checkPoolChange(
  before: PoolFacts,
  after: PoolFacts,
  read: ReadPool,
): Result<undefined, string> {
  const own = checkPool(after, read);
  const was = read(before.spec);
  const is = read(after.spec);
  // What could never be read has made no volumes.
  if (!own.ok || !was.ok || !is.ok) {
    return own;
  }
  const moved =
    was.value.backend === is.value.backend
      ? changed('its source', was.value.source, is.value.source)
      : changed('backend', was.value.backend, is.value.backend);
  return verdict(after.name, moved);
}

function verdict(name: string, mistakes: readonly string[]): Result<undefined, string> {
  return mistakes.length === 0 ? ok(undefined) : err(`StoragePool ${name}: ${mistakes.join('; ')}`);
}

function changed(what: string, before = 'disks', after = 'disks'): string[] {
  return before === after
    ? []
    : [
        `${what} is "${after}" and was "${before}": it cannot change, since the volumes of the pool would be lost sight of; make another pool`,
      ];
}

function nameMistakes(name: string): string[] {
  return poolNamePattern.test(name)
    ? []
    : [
        `metadata.name is "${name}": up to ${maxPoolNameLength} small letters, digits and inner hyphens are allowed`,
      ];
}
