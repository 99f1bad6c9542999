import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { boundedId } from '../model/discovery.ts';
import type { Disk } from '../model/disk.ts';
import { describeError } from '../model/errors.ts';
import { err, ok, type Result } from '../model/result.ts';
import { deviceNumber, probe, readDevice, type DeviceFacts } from '../platform/device-facts.ts';
import { ifThere } from '../platform/files.ts';
import { mountHolding, type Mount } from '../platform/mount-points.ts';
import type { RunCommand } from '../platform/run-command.ts';

/** Where a medium lies, so that two that share a part are seen. */
export interface Extent {
  /** Devices that it is on, and those below them. */
  readonly devices: readonly string[];
  /** The device itself, or the filesystem on it where that has none. */
  readonly number: string;
  /** Which part of a filesystem it is; missing for a whole device. */
  readonly root?: string | undefined;
}

export interface Medium {
  /** What it is known by, or why nothing tells it from another one. */
  readonly id: Result<string, string>;
  readonly extent: Extent;
}

/** One that nothing tells from another one is known as none. */
export function isKnownAs(id: string, medium: Medium): boolean {
  return medium.id.ok && medium.id.value === id;
}

/**
 * What a mounted filesystem is known by: the UUID that is written in it, and the part that the
 * mount shows. One that is on no device is known by what it was mounted from, and where.
 */
export async function mediumOfMount(mount: Mount, path: string, run: RunCommand): Promise<Medium> {
  const device = await deviceUnder(mount);
  const extent = extentOf(mount.device, mount.root, device);
  const part = mount.root === '/' ? '' : `:${mount.root}`;
  if (device === undefined) {
    const { fsType, source } = mount;
    const id =
      fsType === 'zfs' ? `zfs-${source}${part}` : `mount-${fsType}-${source}${part}@${path}`;
    return { id: ok(boundedId(id)), extent };
  }
  return { id: await named(() => filesystemName(device, part, run)), extent };
}

function extentOf(number: string, root: string, device: DeviceFacts | undefined): Extent {
  return { number, root, devices: device ? [device.number, ...device.below] : [] };
}

async function filesystemName(
  { path }: DeviceFacts,
  part: string,
  run: RunCommand,
): Promise<Result<string, string>> {
  const uuid = (await probe(path, run))['UUID'];
  return uuid
    ? ok(`fs-${uuid}${part}`)
    : err(`the filesystem on ${path} has no UUID: nothing tells it from another one`);
}

/** Some filesystems, as btrfs, have a device number of their own and name their device. */
async function deviceUnder({ device, source }: Mount): Promise<DeviceFacts | undefined> {
  const own = await readDevice(device);
  if (own !== undefined || !source.startsWith('/dev/')) {
    return own;
  }
  const stats = await ifThere(stat(source, { bigint: true }));
  return stats?.isBlockDevice() ? readDevice(deviceNumber(stats)) : undefined;
}

/**
 * What a device is known by: the mark of the partition, the serial numbers of the disk, or what
 * the kernel made it of. Never its path, which is another disk's after the next reboot.
 */
export async function mediumOfDevice(
  device: DeviceFacts,
  disks: readonly Disk[],
  run: RunCommand,
): Promise<Medium> {
  const extent = { number: device.number, devices: [device.number, ...device.below] };
  return { id: await named(() => deviceName(device, disks, run)), extent };
}

/** MBR numbers partitions by the number of the table, which is zero where nobody gave it one. */
const noMark = /^0+-/;

async function deviceName(
  { made, path, partition }: DeviceFacts,
  disks: readonly Disk[],
  run: RunCommand,
): Promise<Result<string, string>> {
  if (partition !== undefined) {
    const uuid = (await probe(path, run))['PART_ENTRY_UUID'] ?? '';
    return uuid === '' || noMark.test(uuid)
      ? err('its partition table gives it no mark: nothing tells it from another partition')
      : ok(`part-${uuid}`);
  }
  const disk = disks.find((one) => one.path === path && one.hasStableId);
  const name = made ?? disk?.id;
  return name === undefined
    ? err('it has no serial number that is its own: nothing tells it from another disk')
    : ok(name);
}

/** Where it lies counts although it cannot be read: nobody else is offered a part of it. */
async function named(name: () => Promise<Result<string, string>>): Promise<Result<string, string>> {
  try {
    const found = await name();
    return found.ok ? ok(boundedId(found.value)) : found;
  } catch (error) {
    return err(describeError(error));
  }
}

/** Whether cleaning one of them would touch the other. */
export function overlap(a: Extent, b: Extent): boolean {
  if (a.root !== undefined && b.root !== undefined) {
    return a.number === b.number && (isWithin(a.root, b.root) || isWithin(b.root, a.root));
  }
  const isOn = (one: Extent, other: Extent): boolean =>
    one.root === undefined && other.devices.includes(one.number);
  return isOn(a, b) || isOn(b, a);
}

/** Whether they are one and the same, by two names. */
export function isSamePlace(a: Extent, b: Extent): boolean {
  return a.number === b.number && a.root === b.root;
}

export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}

/** Where a directory lies, or would lie if it was made now; its name may have symbolic links in it. */
export async function extentOfDirectory(
  path: string,
  mounts: readonly Mount[],
): Promise<Extent | undefined> {
  const real = await resolved(path);
  const mount = mountHolding(real, mounts);
  if (mount === undefined) {
    return undefined;
  }
  const inside = real.slice(mount.mountPoint === '/' ? 0 : mount.mountPoint.length);
  const root = `${mount.root === '/' ? '' : mount.root}${inside}` || '/';
  return extentOf(mount.device, root, await deviceUnder(mount));
}

async function resolved(path: string): Promise<string> {
  return (await ifThere(realpath(path))) ?? join(await resolved(dirname(path)), basename(path));
}
