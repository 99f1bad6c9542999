import { boundedId } from '../model/discovery.ts';
import type { Disk } from '../model/disk.ts';
import { probe, readDevice, type DeviceFacts } from '../platform/device-facts.ts';
import { deviceNumber } from '../platform/device-facts.ts';
import { ifThere } from '../platform/files.ts';
import { mountHolding, type Mount } from '../platform/mount-points.ts';
import type { RunCommand } from '../platform/run-command.ts';
import { realpath, stat } from 'node:fs/promises';

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
  readonly id: string;
  readonly extent: Extent;
}

/**
 * What a mounted filesystem is known by: the UUID that is written in it, and the part that the
 * mount shows. One that has none, as in memory, is known by where it is.
 */
export async function mediumOfMount(mount: Mount, path: string, run: RunCommand): Promise<Medium> {
  const device = await deviceUnder(mount);
  const part = mount.root === '/' ? '' : `:${mount.root}`;
  const extent = {
    number: mount.device,
    devices: device ? [device.number, ...device.below] : [],
    root: mount.root,
  };
  const uuid = device && (await probe(device.path, run))['UUID'];
  if (uuid) {
    return { id: boundedId(`fs-${uuid}${part}`), extent };
  }
  const id =
    mount.fsType === 'zfs' ? `zfs-${mount.source}${part}` : `mount-${mount.fsType}-${path}`;
  return { id: boundedId(id), extent };
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
 * the kernel made it of. Its path alone where it has nothing of this.
 */
export async function mediumOfDevice(
  device: DeviceFacts,
  disks: readonly Disk[],
  run: RunCommand,
): Promise<Medium> {
  const extent = { number: device.number, devices: [device.number, ...device.below] };
  return { id: boundedId(await nameOf(device, disks, run)), extent };
}

async function nameOf(
  { made, path, partition }: DeviceFacts,
  disks: readonly Disk[],
  run: RunCommand,
): Promise<string> {
  if (partition !== undefined) {
    const uuid = (await probe(path, run))['PART_ENTRY_UUID'];
    return uuid ? `part-${uuid}` : `path-${path}`;
  }
  const disk = disks.find((one) => one.path === path && one.hasStableId);
  return made ?? disk?.id ?? `path-${path}`;
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

export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}

/** The mount that shows `path`, and where in its filesystem that is. */
export async function placeOf(
  path: string,
  mounts: readonly Mount[],
): Promise<{ readonly device: string; readonly root: string } | undefined> {
  const real = await realpath(path);
  const mount = mountHolding(real, mounts);
  if (mount === undefined) {
    return undefined;
  }
  const inside = real.slice(mount.mountPoint === '/' ? 0 : mount.mountPoint.length);
  const root = `${mount.root === '/' ? '' : mount.root}${inside}` || '/';
  return { device: mount.device, root };
}
