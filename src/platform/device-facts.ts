import { constants, type BigIntStats } from 'node:fs';
import { open, readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { bytes, type Bytes } from '../model/bytes.ts';
import { errorCode, ifThere } from './files.ts';
import { fileIdentity, type LoopDevice } from './loop-devices.ts';
import { CommandError, type RunCommand } from './run-command.ts';

/** What the kernel shows of a block device below /sys/dev/block. */
export interface DeviceFacts {
  /** As `8:1`. */
  readonly number: string;
  /** The kernel's own name of it, such as `/dev/sdb1`. */
  readonly path: string;
  readonly bytes: Bytes;
  readonly readOnly: boolean;
  /** The number of a partition on its disk. */
  readonly partition?: string | undefined;
  /** Of a device that is made by the kernel: mapped, RAID, or a file. */
  readonly made?: string | undefined;
  /** The numbers of the devices that it is a part of, or made of, however far down. */
  readonly below: readonly string[];
}

const sectorBytes = 512;

/** The number of the device that a device file stands for. */
export function deviceNumber({ rdev }: BigIntStats): string {
  return fileIdentity({ dev: rdev, ino: 0n }).replace(/\/0$/, '');
}

/** @returns nothing where the kernel knows no such device */
export async function readDevice(number: string): Promise<DeviceFacts | undefined> {
  const folder = await ifThere(realpath(join('/sys/dev/block', number)));
  if (folder === undefined) {
    return undefined;
  }
  const text = async (name: string): Promise<string | undefined> =>
    (await ifThere(readFile(join(folder, name), 'utf8')))?.trim();
  const [sectors, ro, partition] = await Promise.all(['size', 'ro', 'partition'].map(text));
  const name = /^DEVNAME=(.*)$/m.exec((await text('uevent')) ?? '')?.[1] ?? basename(folder);
  const mapped = await text('dm/uuid');
  const raid = await text('md/uuid');
  const file = await text('loop/backing_file');
  const made = mapped
    ? `dm-${mapped}`
    : raid
      ? `md-${raid}`
      : file && `loop-${file}-${(await text('loop/offset')) ?? '0'}`;
  return {
    number,
    path: join('/dev', name),
    bytes: bytes(Number(sectors ?? 0) * sectorBytes),
    readOnly: ro === '1',
    partition,
    made,
    below: await below(folder, partition !== undefined),
  };
}

async function below(folder: string, isPartition: boolean): Promise<readonly string[]> {
  const slaves = (await ifThere(readdir(join(folder, 'slaves')))) ?? [];
  const folders = [
    ...(isPartition ? [join(folder, '..')] : []),
    ...slaves.map((slave) => join(folder, 'slaves', slave)),
  ];
  const numbers = await Promise.all(
    folders.map(async (each) => {
      const real = await realpath(each);
      const number = (await readFile(join(real, 'dev'), 'utf8')).trim();
      const known = (await ifThere(readFile(join(real, 'partition'), 'utf8'))) !== undefined;
      return [number, ...(await below(real, known))];
    }),
  );
  return numbers.flat();
}

/** What is written on a device: tags of blkid(8), read from the device itself. */
export async function probe(
  path: string,
  run: RunCommand,
): Promise<Readonly<Record<string, string>>> {
  try {
    const text = await run('blkid', ['--probe', '--output', 'export', path]);
    const pairs = text.split('\n').flatMap((line) => {
      const at = line.indexOf('=');
      return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
    });
    return Object.fromEntries(pairs);
  } catch (error) {
    // Nothing is there that it knows: blkid(8).
    if (error instanceof CommandError && error.exitCode === 2) {
      return {};
    }
    throw error;
  }
}

/**
 * Who uses a device: the kernel for a mount or another device, or a loop device on top of it.
 *
 * @param path - the kernel's own path of it
 * @param names - all files that stand for it
 */
export async function whoUses(
  { path, names }: { readonly path: string; readonly names: readonly string[] },
  loops: readonly LoopDevice[],
): Promise<string | undefined> {
  const files = await Promise.all(
    [path, ...names].map(async (name) => fileIdentity(await stat(name, { bigint: true }))),
  );
  // kubelet puts one over each device that a pod has as a device, at a path that is only kubelet's:
  // the kernel does not take that for use of the device.
  const over = loops.find(({ file }) => files.includes(file));
  return over === undefined ? whoHolds(path) : `${over.path} is on top of it`;
}

/** Whether the kernel holds a device, for a mount in whatever mount namespace or another device. */
export async function whoHolds(path: string): Promise<string | undefined> {
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_EXCL);
    await handle.close();
    return undefined;
  } catch (error) {
    if (errorCode(error) === 'EBUSY') {
      return 'it is mounted, or in use otherwise';
    }
    throw error;
  }
}

/** What loop devices lie on, as far as that may be a device. */
export async function loopsOverDevices(): Promise<readonly string[]> {
  const names = (await readdir('/sys/block')).filter((name) => name.startsWith('loop'));
  const files = await Promise.all(
    names.map((name) => ifThere(readFile(`/sys/block/${name}/loop/backing_file`, 'utf8'))),
  );
  return files.flatMap((file) => (file && overDevice.test(file) ? [file.trim()] : []));
}

/** A device file, or kubelet's own name of one. */
const overDevice = /^\/dev\/|\/volumeDevices\//;
