import { parseKeepFor } from '../model/keep-for.ts';
import { maxPoolNameLength, poolNamePattern } from '../model/names.ts';
import { parseQuantity } from '../model/quantity.ts';
import { err, ok, type Result } from '../model/result.ts';

/** Every backend a StoragePool can name. The options of one stand in a field of the same name. */
const poolBackends = ['loop'];

const allocations = ['preallocated', 'sparse'];

export interface PoolFacts {
  readonly name: string;
  readonly backend: string;
  /** The backends for which options are given. */
  readonly optionsFor: readonly string[];
  /** Missing where the operator left it to the usual period. */
  readonly keepOrphansFor?: string;
  /** Texts as given; empty where missing. */
  readonly loop?: {
    readonly directory: string;
    readonly size: string;
    readonly allocation: string;
  };
}

/** Refuses a pool that no agent could build. @param given - all that the operator wrote */
export function checkPool(given: PoolFacts): Result<undefined, string> {
  return verdict(given.name, [
    ...nameMistakes(given.name),
    ...backendMistakes(given),
    ...(given.backend === 'loop' ? loopMistakes(given.loop) : []),
    ...orphanMistakes(given),
  ]);
}

/**
 * Refuses a change under which the volumes of a pool could no longer be found: they stay where
 * and what they were when they were made.
 */
export function checkPoolChange(before: PoolFacts, after: PoolFacts): Result<undefined, string> {
  const own = checkPool(after);
  const mistakes = [
    ...changed('backend', before.backend, after.backend),
    ...(before.backend === after.backend
      ? changed('loop.directory', before.loop?.directory ?? '', after.loop?.directory ?? '')
      : []),
  ];
  const moved = verdict(after.name, mistakes);
  return moved.ok ? own : moved;
}

function verdict(name: string, mistakes: readonly string[]): Result<undefined, string> {
  return mistakes.length === 0 ? ok(undefined) : err(`StoragePool ${name}: ${mistakes.join('; ')}`);
}

function changed(field: string, before: string, after: string): string[] {
  return before === after
    ? []
    : [
        `${field} is "${after}" and was "${before}": it cannot change, since the volumes of the pool would be lost sight of; make another pool`,
      ];
}

function nameMistakes(name: string): string[] {
  return poolNamePattern.test(name)
    ? []
    : [
        `metadata.name is "${name}": up to ${maxPoolNameLength} small letters, digits and inner hyphens are allowed`,
      ];
}

function backendMistakes({ backend, optionsFor }: PoolFacts): string[] {
  if (!poolBackends.includes(backend)) {
    return [`backend is "${backend}": allowed are ${poolBackends.join(', ')}`];
  }
  return optionsFor
    .filter((other) => other !== backend)
    .map((other) => `${other} is set: only options of backend ${backend} are allowed here`);
}

function orphanMistakes({ keepOrphansFor }: PoolFacts): string[] {
  const period = parseKeepFor(keepOrphansFor);
  return period.ok ? [] : [period.error];
}

function loopMistakes(loop: PoolFacts['loop']): string[] {
  if (loop === undefined) {
    return ['loop is missing: backend loop needs loop.directory and loop.size'];
  }
  const mistakes = directoryMistakes(loop.directory);
  const size = parseQuantity(loop.size);
  if (!size.ok) {
    mistakes.push(`loop.size: ${size.error}`);
  } else if (size.value === 0) {
    mistakes.push(`loop.size is "${loop.size}": a size above 0 is allowed, such as 100Gi`);
  }
  if (loop.allocation !== '' && !allocations.includes(loop.allocation)) {
    mistakes.push(
      `loop.allocation is "${loop.allocation}": allowed are ${allocations.join(' and ')}`,
    );
  }
  return mistakes;
}

function directoryMistakes(directory: string): string[] {
  const parts = directory.split('/').filter((part) => part !== '');
  const fine =
    directory.startsWith('/') &&
    parts.length > 0 &&
    !parts.some((part) => part === '..' || part === '.') &&
    !directory.includes('\0');
  return fine
    ? []
    : [
        `loop.directory is "${directory}": an absolute path below / and without ".." is allowed, such as /var/lib/berth/fast`,
      ];
}
