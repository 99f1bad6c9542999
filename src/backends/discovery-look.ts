import { lstat, readdir, realpath, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { bytes } from '../model/bytes.ts';
import { maxEntries, type DiscoveryPool } from '../model/discovery.ts';
import type { Disk } from '../model/disk.ts';
import { describeError } from '../model/errors.ts';
import { parseGlob } from '../model/glob.ts';
import type { VolumeMode } from '../model/volume.ts';
import { listDisks } from '../platform/block-devices.ts';
import { deviceNumber, readDevice, whoUses } from '../platform/device-facts.ts';
import { errorCode } from '../platform/files.ts';
import { readMounts, type Mount } from '../platform/mount-points.ts';
import type { RunCommand } from '../platform/run-command.ts';
import type { FoundEntry, FoundPool, LookForMedia } from '../usecases/discovery-ports.ts';
import {
  isWithin,
  mediumOfDevice,
  mediumOfMount,
  overlap,
  placeOf,
  type Extent,
} from './discovery-medium.ts';

interface Seen extends FoundEntry {
  readonly extent?: Extent;
}

interface Around {
  readonly mounts: readonly Mount[];
  readonly disks: readonly Disk[];
  readonly run: RunCommand;
  readonly whoHas: WhoHas;
}

/**
 * The pool of disks that has a disk.
 *
 * @throws Error where that is not known yet
 */
export type WhoHas = (disk: Disk) => string | undefined;

const nothing = bytes(0);

/** Looks at all entries of all pools at once: only so are two that share a medium seen. */
export function lookForMedia(run: RunCommand, whoHas: WhoHas): LookForMedia {
  const list = listDisks(run);
  return async (pools, signal) => {
    const around = { mounts: await readMounts(), disks: await list(), run, whoHas };
    const seen: { pool: DiscoveryPool; entries: readonly Seen[]; problem?: string | undefined }[] =
      [];
    for (const pool of pools) {
      signal.throwIfAborted();
      seen.push({ pool, ...(await lookAt(pool, around)) });
    }
    const all = seen.flatMap(({ entries }) => entries);
    return seen.map(({ pool, entries, problem }): FoundPool => ({
      pool: pool.name,
      problem,
      entries: entries.map((entry) => withoutExtent(judged(entry, all))),
    }));
  };
}

async function lookAt(
  { plan }: DiscoveryPool,
  around: Around,
): Promise<{ entries: readonly Seen[]; problem?: string | undefined }> {
  const fits = parseGlob(plan.namePattern) ?? (() => false);
  let names: string[];
  try {
    names = (await readdir(plan.directory)).filter(fits).sort();
  } catch (error) {
    const why =
      errorCode(error) === 'ENOENT'
        ? 'it is not there, or the agent does not have it mounted'
        : describeError(error);
    return { entries: [], problem: `discovery.directory ${plan.directory}: ${why}` };
  }
  const entries: Seen[] = [];
  for (const name of names.slice(0, maxEntries)) {
    entries.push(unlessOwned(await seenAs(name, plan, around), around));
  }
  const problem =
    names.length > maxEntries
      ? `discovery.directory ${plan.directory} has ${names.length} entries: only the first ${maxEntries} by name are offered`
      : undefined;
  return { entries, problem };
}

async function seenAs(name: string, plan: DiscoveryPool['plan'], around: Around): Promise<Seen> {
  const path = join(plan.directory, name);
  try {
    const stats = await stat(path, { bigint: true });
    if (stats.isBlockDevice()) {
      return await device({ name, path, mode: plan.volumeMode }, deviceNumber(stats), around);
    }
    const isLink = (await lstat(path)).isSymbolicLink();
    return stats.isDirectory() && !isLink
      ? await filesystem({ name, path, mode: plan.volumeMode }, plan.directory, around)
      : refused({ name, path, mode: plan.volumeMode }, whatElse(isLink, stats.isDirectory()));
  } catch (error) {
    const why = errorCode(error) === 'ENOENT' ? 'it leads nowhere' : describeError(error);
    return refused({ name, path, mode: plan.volumeMode }, why);
  }
}

/** What a pool cuts volumes of is never offered whole, used or not. */
function unlessOwned(entry: Seen, { disks, whoHas }: Around): Seen {
  const disk = disks.find(({ path }) => entry.kind === 'device' && path === entry.source);
  const owner = disk && whoHas(disk);
  return owner === undefined ? entry : { ...entry, refusal: `it belongs to pool ${owner}` };
}

interface Named {
  readonly name: string;
  readonly path: string;
  readonly mode: VolumeMode;
}

function refused(named: Named, refusal: string, more: Partial<Seen> = {}): Seen {
  return { ...named, kind: 'filesystem', bytes: nothing, ...more, refusal };
}

function whatElse(isLink: boolean, isDirectory: boolean): string {
  return isLink && isDirectory
    ? 'it is a link to a directory: mount the directory here instead (mount --bind)'
    : 'it is neither a mount point nor a block device, or a link to one';
}

async function device(named: Named, number: string, { disks, run }: Around): Promise<Seen> {
  const facts = await readDevice(number);
  if (facts === undefined || facts.bytes === 0) {
    return refused(named, 'the device has no medium', { kind: 'device' });
  }
  const { id, extent } = await mediumOfDevice(facts, disks, run);
  const use = await whoUses(facts.path);
  return {
    ...named,
    ...{ kind: 'device', id, extent, bytes: facts.bytes, source: facts.path, use },
    ...(facts.readOnly && { refusal: 'the device is read-only' }),
  };
}

async function filesystem(named: Named, directory: string, around: Around): Promise<Seen> {
  const { mounts, run } = around;
  const point = join(await realpath(directory), named.name);
  const mount = mounts.filter((one) => one.mountPoint === point).at(-1);
  if (mount === undefined) {
    return refused(named, 'it is a directory, and nothing is mounted on it');
  }
  const { id, extent } = await mediumOfMount(mount, named.path, run);
  const { blocks, bsize } = await statfs(named.path);
  const seen: Seen = {
    ...named,
    ...{ kind: 'filesystem', id, extent, bytes: bytes(blocks * bsize) },
    use: podMount(mount, mounts),
  };
  const why = await whyNotOffered(named, mount, { directory, mounts });
  return why === undefined ? seen : { ...seen, refusal: why };
}

async function whyNotOffered(
  { mode }: Named,
  mount: Mount,
  { directory, mounts }: { directory: string; mounts: readonly Mount[] },
): Promise<string | undefined> {
  const place = await placeOf(directory, mounts);
  if (place?.device === mount.device && isWithin(place.root, mount.root)) {
    return `it holds the directory ${directory} itself`;
  }
  if (mode === 'Block') {
    return 'discovery.volumeMode is Block, and a mounted filesystem can only be Filesystem';
  }
  return mount.readOnly ? 'it is mounted read-only' : undefined;
}

/** Where kubelet has mounted it, or a part of it, for a pod. */
function podMount(entry: Mount, mounts: readonly Mount[]): string | undefined {
  const point = mounts.find(
    (one) =>
      one.device === entry.device &&
      isWithin(one.root, entry.root) &&
      one.mountPoint.includes('/volumes/kubernetes.io~'),
  )?.mountPoint;
  return point && `it is mounted at ${point}`;
}

/** Two that share a part are both refused: nobody can say whose it is. Of two names, one counts. */
function judged(entry: Seen, all: readonly Seen[]): Seen {
  const { extent, id } = entry;
  if (extent === undefined || entry.refusal !== undefined) {
    return entry;
  }
  const others = all.filter((one) => one !== entry && one.id !== undefined);
  const namesake = others.find((one) => one.id === id && all.indexOf(one) < all.indexOf(entry));
  if (namesake) {
    return { ...entry, id: undefined, refusal: `it is the same medium as ${namesake.path}` };
  }
  const shared = others.find(
    (one) => one.id !== id && one.extent !== undefined && overlap(one.extent, extent),
  );
  return shared ? { ...entry, refusal: `it shares its medium with ${shared.path}` } : entry;
}

function withoutExtent({ extent: _, ...entry }: Seen): FoundEntry {
  return entry;
}
