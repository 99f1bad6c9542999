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
import { loopDevices, type LoopDevice } from '../platform/loop-devices.ts';
import { readMounts, readMountsOfNode, type Mount } from '../platform/mount-points.ts';
import type { RunCommand } from '../platform/run-command.ts';
import type { FoundPool, LookForMedia } from '../usecases/discovery-ports.ts';
import { judged, type Seen } from './discovery-judge.ts';
import {
  extentOfDirectory,
  isWithin,
  mediumOfDevice,
  mediumOfMount,
  type Medium,
} from './discovery-medium.ts';
import { ownersOfMedia, type OwnerOf, type PoolsThatCut } from './discovery-owners.ts';

interface Around {
  readonly mounts: readonly Mount[];
  /** Those of the node as well. */
  readonly nodeMounts: readonly Mount[];
  readonly disks: readonly Disk[];
  readonly loops: readonly LoopDevice[];
  readonly run: RunCommand;
  readonly ownerOf: OwnerOf;
}

const nothing = bytes(0);

/** Looks at all entries of all pools at once: only so are two that share a medium seen. */
export function lookForMedia(run: RunCommand, cutting: PoolsThatCut): LookForMedia {
  const listed = listDisks(run);
  const loops = loopDevices(run);
  return async (pools, signal) => {
    const [mounts, disks] = await Promise.all([readMounts(), listed()]);
    const around = {
      ...{ mounts, disks, run },
      nodeMounts: await readMountsOfNode(),
      loops: await loops.list(),
      ownerOf: await ownersOfMedia(cutting, { mounts, disks }),
    };
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
      entries: entries.map((entry) => judged(entry, all)),
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
function unlessOwned(entry: Seen, { ownerOf }: Around): Seen {
  const why = entry.extent && ownerOf(entry.extent);
  return why === undefined ? entry : { ...entry, refusal: why };
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

async function device(named: Named, number: string, around: Around): Promise<Seen> {
  const { disks, loops, run } = around;
  const facts = await readDevice(number);
  if (facts === undefined || facts.bytes === 0) {
    return refused(named, 'the device has no medium', { kind: 'device' });
  }
  const medium = await mediumOfDevice(facts, disks, run);
  const use = await whoUses({ path: facts.path, names: [named.path] }, loops);
  return {
    ...{ ...named, ...known(medium) },
    ...{ kind: 'device', bytes: facts.bytes, source: facts.path, use },
    ...(facts.readOnly && { refusal: 'the device is read-only' }),
  };
}

/** What cannot be told from another medium is never touched. */
function known({ id, extent }: Medium): Pick<Seen, 'id' | 'extent' | 'refusal'> {
  return id.ok ? { id: id.value, extent } : { extent, refusal: id.error };
}

async function filesystem(named: Named, directory: string, around: Around): Promise<Seen> {
  const { mounts, nodeMounts, run } = around;
  const point = join(await realpath(directory), named.name);
  const mount = mounts.filter((one) => one.mountPoint === point).at(-1);
  if (mount === undefined) {
    return refused(named, 'it is a directory, and nothing is mounted on it');
  }
  const medium = await mediumOfMount(mount, named.path, run);
  const { blocks, bsize } = await statfs(named.path);
  const seen: Seen = {
    ...{ ...named, ...known(medium) },
    ...{ kind: 'filesystem', bytes: bytes(blocks * bsize) },
    use: podMount(mount, nodeMounts),
  };
  const why = await whyNotOffered(named, mount, { directory, mounts });
  return why === undefined ? seen : { ...seen, refusal: why };
}

async function whyNotOffered(
  { mode }: Named,
  mount: Mount,
  { directory, mounts }: { directory: string; mounts: readonly Mount[] },
): Promise<string | undefined> {
  const place = await extentOfDirectory(directory, mounts);
  if (place?.number === mount.device && isWithin(place.root ?? '', mount.root)) {
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
