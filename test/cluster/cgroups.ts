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
import { cgroupPrefix } from './slots.ts';
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

/** The top cgroups of all nodes of a slot, in every hierarchy. */
function cgroupsOf(slot: number): string[] {
  return hierarchies().flatMap((hierarchy) =>
    readdirSync(hierarchy)
      .filter((name) => name.startsWith(cgroupPrefix(slot)))
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

export async function killContainers(slot: number): Promise<void> {
  await killUntilGone(`containers of slot ${slot}`, () => pidsOf(slot));
}

function pidsOf(slot: number): number[] {
  const pids = cgroupsOf(slot).flatMap(withDescendants).flatMap(pidsIn);
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

/** Removes the cgroups of a slot; waits for the kernel, which lets go of one only some time after its last process. */
export async function removeCgroups(slot: number): Promise<void> {
  await waitFor(
    `the cgroups of slot ${slot} to be removable`,
    () => {
      for (const cgroup of cgroupsOf(slot).flatMap(withDescendants)) rmdirSync(cgroup);
      return true;
    },
    { timeoutMs: 10_000, explain: () => cgroupsOf(slot).flatMap(withDescendants).join('\n') },
  );
}
