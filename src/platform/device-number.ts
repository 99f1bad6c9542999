import { readFile, readlink, realpath, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { ifThere } from './files.ts';

/**
 * The device that the kernel limits for who uses `path`, as `7:3`: of a partition it is the whole
 * disk, since the kernel takes no limits for partitions.
 *
 * @throws Error where `path` is not there, or leads to no block device
 */
export async function limitedDevice(path: string): Promise<string> {
  const found = await stat(path);
  if (!found.isBlockDevice()) {
    throw new Error(`${path} is no block device: only devices can be limited`);
  }
  const number = deviceNumber(found.rdev);
  const inSysfs = `/sys/dev/block/${number}`;
  if ((await ifThere(stat(`${inSysfs}/partition`))) === undefined) {
    return number;
  }
  // The folder of a partition lies in the folder of its disk.
  const disk = dirname(await readlink(inSysfs));
  return (await readFile(`/sys/dev/block/${disk}/dev`, 'utf8')).trim();
}

/**
 * The kernel's own name of a block device, such as `/dev/dm-3`: what has another name is a link to it,
 * or a second device file.
 */
export async function kernelPath(path: string): Promise<string> {
  const { rdev } = await stat(path);
  return `/dev/${basename(await realpath(`/sys/dev/block/${deviceNumber(rdev)}`))}`;
}

/** As the kernel writes it. The layout of dev_t in glibc: sys/sysmacros.h, gnu_dev_major and gnu_dev_minor; 32 bits suffice. */
export function deviceNumber(rdev: number): string {
  const major = (rdev >>> 8) & 0xfff;
  const minor = (rdev & 0xff) | ((rdev >>> 12) & 0xfff00);
  return `${major}:${minor}`;
}
