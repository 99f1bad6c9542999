import { watch, type FSWatcher } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { IoLimits } from '../model/io-limits.ts';
import type { DeviceLimits, PodThrottle } from '../usecases/io-limit-ports.ts';
import { changesV1, changesV2, isPodCgroup, isSomePodCgroup, v1Files } from './block-limits.ts';
import { errorCode, ifThere } from './files.ts';

/** The hierarchy with the limits of devices. */
interface Hierarchy {
  readonly root: string;
  readonly version: 1 | 2;
}

/**
 * Limits of devices in the cgroups of pods, in cgroup v2 (`io.max`) and v1 (`blkio.throttle.*`),
 * wherever kubelet keeps its pods and whichever of its cgroup drivers names them.
 *
 * In v2 a limit of the pod's cgroup holds for all containers together, those to come as well. In
 * v1 the kernel looks only at the cgroup that a process is in: each container gets the limit.
 *
 * @param mount - where the node's cgroups are, usually /sys/fs/cgroup
 */
export function blockCgroups(mount: string): PodThrottle {
  const watchers = new Map<string, FSWatcher>();
  const folders = new Map<string, string>();

  async function cgroupOf(pod: string, { root }: Hierarchy): Promise<string> {
    const known = folders.get(pod);
    if (known !== undefined && (await ifThere(readdir(known))) !== undefined) {
      return known;
    }
    forget(pod);
    const found = await findCgroup(root, pod);
    if (found === undefined) {
      throw new Error(`pod ${pod} has no cgroup below ${root}`);
    }
    folders.set(pod, found);
    return found;
  }

  async function limit(pod: string, limits: DeviceLimits, onContainers: () => void) {
    const hierarchy = await openHierarchy(mount);
    const folder = await cgroupOf(pod, hierarchy);
    if (hierarchy.version === 2) {
      await limitV2(folder, limits);
      return;
    }
    // Before the look, so that no container begins unseen in between.
    listen(pod, folder, onContainers);
    await limitV1(folder, limits);
    await Promise.all((await subgroups(folder)).map((each) => limitV1(each, limits)));
  }

  function listen(pod: string, folder: string, onContainers: () => void): void {
    if (!watchers.has(pod)) {
      const watcher = watch(folder, { persistent: false }, (event) => {
        // What is written into a file here is no container that comes or goes.
        if (event === 'rename') {
          onContainers();
        }
      });
      watcher.on('error', () => forget(pod));
      watchers.set(pod, watcher);
    }
  }

  function forget(pod: string): void {
    watchers.get(pod)?.close();
    watchers.delete(pod);
    folders.delete(pod);
  }

  return { limit, forget };
}

async function openHierarchy(mount: string): Promise<Hierarchy> {
  const names = await readdir(mount);
  if (names.includes('cgroup.controllers')) {
    return { root: mount, version: 2 };
  }
  if (names.includes('blkio')) {
    return { root: join(mount, 'blkio'), version: 1 };
  }
  throw new Error(`${mount} has neither cgroup v2 nor a folder blkio: no device can be limited`);
}

/** By width first: the cgroups of pods lie high, those of services may lie deep. */
async function findCgroup(root: string, pod: string): Promise<string | undefined> {
  for (let level = [root]; level.length > 0;) {
    const below = (await Promise.all(level.map(childrenOf))).flat();
    const found = below.find(({ name }) => isPodCgroup(name, pod));
    if (found !== undefined) {
      return found.path;
    }
    level = below.filter(({ name }) => !isSomePodCgroup(name)).map(({ path }) => path);
  }
  return undefined;
}

async function subgroups(folder: string): Promise<readonly string[]> {
  const children = (await childrenOf(folder)).map(({ path }) => path);
  return [...children, ...(await Promise.all(children.map(subgroups))).flat()];
}

/** Cgroups come and go at any moment: one that is gone has no children. */
async function childrenOf(folder: string): Promise<readonly { name: string; path: string }[]> {
  const entries = (await unlessGone(readdir(folder, { withFileTypes: true }))) ?? [];
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ name, path: join(folder, name) }));
}

async function limitV2(folder: string, limits: DeviceLimits): Promise<void> {
  const file = join(folder, 'io.max');
  const text = await ifThere(readFile(file, 'utf8'));
  if (text === undefined) {
    throw new Error(`${file} is missing: the controller io is not enabled for this cgroup`);
  }
  for (const line of changesV2(text, limits)) {
    await writeFile(file, line);
  }
}

async function limitV1(folder: string, limits: DeviceLimits): Promise<void> {
  for (const [name, file] of Object.entries(v1Files)) {
    const path = join(folder, file);
    const text = await unlessGone(readFile(path, 'utf8'));
    const lines = text === undefined ? [] : changesV1(text, limits, name as keyof IoLimits);
    for (const line of lines) {
      await writeFile(path, line);
    }
  }
}

async function unlessGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    // The kernel says ENODEV for the files of a cgroup that was removed while they were open.
    if (['ENOENT', 'ENODEV'].includes(errorCode(error) ?? '')) {
      return undefined;
    }
    throw error;
  }
}
