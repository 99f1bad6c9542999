import type { DeviceSelector } from '../model/device-selector.ts';
import { maxPoolNameLength, poolNamePattern } from '../model/names.ts';
import { selectsNode } from '../model/pool-selector.ts';
import type { Result } from '../model/result.ts';
import type { VolumeForm } from '../model/volume.ts';
import type { StorageBackend } from './ports.ts';

/** A StoragePool as it was declared; its spec has not been checked yet. */
export interface PoolDeclaration {
  readonly name: string;
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly spec: unknown;
}

/** A declared pool that its backend understands. */
export interface UsablePool {
  readonly backend: string;
  /** What it is made of, where that has a name; two pools of one node must not share it. */
  readonly source?: string | undefined;
  /** The disks it may take, where it takes any. */
  readonly devices?: DeviceSelector | undefined;
  readonly gives: VolumeForm;
  /** The directory it lies in, where it lies in one. */
  readonly directory?: string | undefined;
  /** How long orphans in it are kept: milliseconds, or `Infinity`. */
  readonly keepForMs: number;
  readonly open: () => StorageBackend;
}

/** A pool of this node, or one that was and still holds volumes. */
export interface NodePool {
  readonly name: string;
  readonly backend: string;
  /** New volumes may be made in it. */
  readonly applies: boolean;
  /** The disks it may take, where it takes any. */
  readonly devices?: DeviceSelector | undefined;
  /** Missing where nobody has ever known it. */
  readonly gives?: VolumeForm;
  readonly directory?: string | undefined;
  /** Missing where nobody knows any more what the pool is made of. */
  readonly storage?: StorageBackend;
  /** How long orphans in it are kept; for ever where nobody says so any more. */
  readonly keepForMs?: number;
  /** Why it takes no new volumes, as far as its declaration tells. */
  readonly problem?: string;
}

interface OpenPool extends NodePool {
  readonly source?: string | undefined;
  /** The spec it was opened with. */
  readonly text?: string;
}

/**
 * The pools that this node has, by what is declared, which labels it carries, and which pools its
 * volumes are in: a pool that no longer applies stays open while it holds volumes.
 */
export class NodePools {
  #pools: ReadonlyMap<string, OpenPool> = new Map();
  readonly #parse: (name: string, spec: unknown) => Result<UsablePool, string>;

  constructor(parse: (name: string, spec: unknown) => Result<UsablePool, string>) {
    this.#parse = parse;
  }

  get(name: string): NodePool | undefined {
    return this.#pools.get(name);
  }

  list(): readonly NodePool[] {
    return [...this.#pools.values()];
  }

  /** @param held - the pools that volumes of this node are in */
  update(
    declared: readonly PoolDeclaration[],
    labels: Readonly<Record<string, string>>,
    held: ReadonlySet<string>,
  ): void {
    const next = new Map<string, OpenPool>();
    const takenBy = new Map<string, string>();
    // A fixed order, so that of two pools with one source the same one is refused every time.
    for (const pool of [...declared].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const applies = selectsNode(pool.nodeSelector, labels);
      if (applies || held.has(pool.name)) {
        const open = this.#open(pool, applies);
        next.set(pool.name, withoutSharing(open, takenBy));
      }
    }
    for (const name of held) {
      if (!next.has(name)) {
        next.set(name, this.#undeclared(name));
      }
    }
    this.#pools = next;
  }

  #open({ name, spec }: PoolDeclaration, applies: boolean): OpenPool {
    if (!poolNamePattern.test(name)) {
      const problem = `the name is "${name}": a DNS label of at most ${maxPoolNameLength} characters is allowed`;
      return { name, backend: 'unknown', applies: false, problem };
    }
    const text = JSON.stringify(spec);
    const parsed = this.#parse(name, spec);
    const before = this.#pools.get(name);
    if (!parsed.ok) {
      return { name, backend: before?.backend ?? 'unknown', applies, problem: parsed.error };
    }
    const { backend, source, directory, devices, gives, keepForMs, open } = parsed.value;
    const storage = before?.text === text && before.storage ? before.storage : open();
    const made = { backend, source, directory, devices, gives, keepForMs };
    const pool = { name, applies, text, storage, ...made };
    return applies ? pool : { ...pool, problem: 'its nodeSelector no longer selects this node' };
  }

  /** Keeps what is known from before: the volumes in it must stay usable and removable. */
  #undeclared(name: string): OpenPool {
    const problem = `there is no StoragePool ${name}, and volumes are in it`;
    const before = this.#pools.get(name) ?? { name, backend: 'unknown' };
    return { ...before, applies: false, problem, keepForMs: Infinity };
  }
}

function withoutSharing(pool: OpenPool, takenBy: Map<string, string>): OpenPool {
  if (pool.source === undefined) {
    return pool;
  }
  const owner = takenBy.get(pool.source);
  if (owner === undefined) {
    takenBy.set(pool.source, pool.name);
    return pool;
  }
  const { name, backend, applies } = pool;
  const problem = `${pool.source} is the source of pool ${owner} already: each pool needs its own`;
  return { name, backend, applies, problem };
}
