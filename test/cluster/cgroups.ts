import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { killUntilGone } from './processes.ts';
import { waitFor } from './wait.ts';

const ROOT = '/sys/fs/cgroup';

/** The roots of all cgroup hierarchies: one on a v2 host, one per controller on a v1 host. */
function hierarchies(): string[] {
  if (existsSync(join(ROOT, 'cgroup.controllers'))) return [ROOT];
  return readdirSync(ROOT)
    .map((name) => join(ROOT, name))
    .filter((path) => existsSync(join(path, 'cgroup.procs')));
}

/** Makes the cgroup in every hierarchy, ready for children with limits. Repeatable. */
export function ensureCgroup(name: string): void {
  for (const hierarchy of hierarchies()) {
    const path = join(hierarchy, name);
    mkdirSync(path, { recursive: true });
    inheritCpuset(path, hierarchy);
    if (hierarchy === ROOT) delegate(path);
  }
}

/** A v1 cpuset starts empty, and no process can be put into an empty one. */
function inheritCpuset(path: string, parent: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (existsSync(join(path, file)) && existsSync(join(parent, 'tasks'))) {
      writeFileSync(join(path, file), readFileSync(join(parent, file)));
    }
  }
}

function delegate(path: string): void {
  const available = readFileSync(join(path, 'cgroup.controllers'), 'utf8').trim();
  const wish = available
    .split(' ')
    .filter(Boolean)
    .map((controller) => `+${controller}`);
  writeFileSync(join(path, 'cgroup.subtree_control'), wish.join(' '));
}

/** The cgroups directly below the roots whose name begins so, in every hierarchy. */
function cgroupsNamed(prefix: string): string[] {
  return hierarchies().flatMap((hierarchy) =>
    readdirSync(hierarchy)
      .filter((name) => name.startsWith(prefix))
      .map((name) => join(hierarchy, name)),
  );
}

/** The cgroup and all below it, the deepest first. */
function withDescendants(path: string): string[] {
  return [...children(path).flatMap(withDescendants), path];
}

function children(path: string): string[] {
  try {
    return readdirSync(path)
      .map((name) => join(path, name))
      .filter((child) => statSync(child).isDirectory());
  } catch {
    return [];
  }
}

/** Kills every process in the cgroups whose name begins so, e.g. all containers of a node. Repeatable. */
export async function killInCgroups(prefix: string): Promise<void> {
  await killUntilGone(`processes in cgroups ${prefix}*`, () => pidsBelow(prefix));
}

function pidsBelow(prefix: string): number[] {
  const pids = cgroupsNamed(prefix).flatMap(withDescendants).flatMap(pidsIn);
  return [...new Set(pids)];
}

function pidsIn(cgroup: string): number[] {
  try {
    return readFileSync(join(cgroup, 'cgroup.procs'), 'utf8')
      .split('\n')
      .filter(Boolean)
      .map(Number);
  } catch {
    // It was removed a moment ago.
    return [];
  }
}

/** Removes the cgroups whose name begins so; the kernel lets go of one only some time after its last process. */
export async function removeCgroups(prefix: string): Promise<void> {
  const left = (): string[] => cgroupsNamed(prefix).flatMap(withDescendants);
  await waitFor(
    `cgroups ${prefix}* to be removable`,
    () => {
      for (const cgroup of left()) rmdirSync(cgroup);
      return true;
    },
    { timeoutMs: 10_000, explain: () => left().join('\n') },
  );
}
