import { readdir, readFile, readlink, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { BlockDevice, DeviceChains } from '../../usecases/health-ports.ts';
import { deviceNumber } from '../device-number.ts';
import { copiesIn } from './mirrors.ts';
import { mountOf, readMounts, type Mount } from './mounts.ts';
import { bootId, readText } from './sys-files.ts';

export interface ChainRoots {
  readonly sys: string;
  /** The mounts as this process sees them: it is its paths that are asked for. */
  readonly mounts: string;
}

const roots: ChainRoots = { sys: '/sys', mounts: '/proc/self/mountinfo' };

/** Follows devices through sysfs: partition, loop device, device-mapper, MD and btrfs. */
export function deviceChains({ sys, mounts }: ChainRoots = roots): DeviceChains {
  return {
    below: async (path) => {
      const walk = new Walk(sys, await readMounts(mounts));
      const tops = await walk.path(path);
      return { devices: [...walk.devices.values()], tops, isCut: walk.isCut };
    },
  };
}

class Walk {
  /** By name. */
  readonly devices = new Map<string, BlockDevice>();
  isCut = false;
  readonly #sys: string;
  readonly #mounts: readonly Mount[];

  constructor(sys: string, mounts: readonly Mount[]) {
    this.#sys = sys;
    this.#mounts = mounts;
  }

  /** @param path - a device file, or what lies in a filesystem. @returns the devices it lies on first */
  async path(path: string): Promise<readonly string[]> {
    const real = await realpath(path).catch(() => undefined);
    if (real === undefined) {
      this.isCut = true;
      return [];
    }
    const file = await stat(real).catch(() => undefined);
    return file?.isBlockDevice() === true
      ? this.#numbered(deviceNumber(file.rdev))
      : this.#filesystem(mountOf(this.#mounts, real));
  }

  /** By its number: without udev, LVM gives its volumes device files with names that the kernel does not know. */
  async #numbered(number: string): Promise<readonly string[]> {
    const folder = await readlink(join(this.#sys, 'dev/block', number)).catch(() => '');
    return folder === '' ? [] : this.#device(basename(folder));
  }

  async #filesystem(mount: Mount | undefined): Promise<readonly string[]> {
    if (mount === undefined) {
      return [];
    }
    const byNumber = await this.#numbered(mount.device);
    // A filesystem of several devices, such as btrfs, has a number that is no device's.
    const file = await stat(mount.source).catch(() => undefined);
    return byNumber.length === 0 && file?.isBlockDevice() === true
      ? this.#numbered(deviceNumber(file.rdev))
      : byNumber;
  }

  /** @returns the device, and those that are needed together with it */
  async #device(name: string): Promise<readonly string[]> {
    const all = [...new Set([name, ...(await this.#siblings(name))])];
    for (const each of all) {
      await this.#visit(each);
    }
    return all.filter((each) => this.devices.has(each));
  }

  async #visit(name: string): Promise<void> {
    const folder = join(this.#sys, 'class/block', name);
    const number = await readText(join(folder, 'dev'));
    if (number === undefined || this.devices.has(name)) {
      return;
    }
    const identity = await identityOf(folder, name);
    const known = { name, number, identity };
    // Here from now on, so that it stands above what is below it, and is visited once.
    this.devices.set(name, { ...known, below: [], isDisk: true });
    const slaves = await this.#slaves(folder);
    const direct: string[] = [];
    for (const each of [...slaves, ...(await this.#wholeDisk(folder))]) {
      direct.push(...(await this.#device(each)));
    }
    const copies = await copiesIn(this.#sys, name, slaves);
    const file = await this.#backingFile(folder);
    const below = [...new Set([...direct, ...(file ?? [])])];
    const isDisk = below.length === 0 && file === undefined;
    this.devices.set(name, { ...known, below, copies, isDisk });
  }

  /** The other devices of a btrfs that this one is part of. */
  async #siblings(name: string): Promise<readonly string[]> {
    const folder = join(this.#sys, 'fs/btrfs');
    for (const uuid of await readdir(folder).catch(() => [])) {
      const members = await readdir(join(folder, uuid, 'devices')).catch((): string[] => []);
      if (members.includes(name)) {
        return members;
      }
    }
    return [];
  }

  async #slaves(folder: string): Promise<readonly string[]> {
    return readdir(join(folder, 'slaves')).catch(() => []);
  }

  async #wholeDisk(folder: string): Promise<readonly string[]> {
    const isPartition = (await readText(join(folder, 'partition'))) !== undefined;
    return isPartition ? [basename(dirname(await realpath(folder)))] : [];
  }

  /** @returns what the file lies on, where the device is a file's */
  async #backingFile(folder: string): Promise<readonly string[] | undefined> {
    const file = await readText(join(folder, 'loop/backing_file'));
    return file === undefined ? undefined : this.path(file);
  }
}

/**
 * Something that another device under this name would not have. A disk is known by what it says
 * of itself; what has nothing to say, by the number that the kernel gives to each one it meets.
 */
async function identityOf(folder: string, name: string): Promise<string> {
  const said = [
    'wwid',
    'device/wwid',
    'device/serial',
    'serial',
    'dm/uuid',
    'md/uuid',
    'partition',
  ];
  for (const file of said) {
    const text = await readText(join(folder, file));
    if (text !== undefined && text !== '') {
      return `${name} ${text}`;
    }
  }
  const met = (await readText(join(folder, 'diskseq'))) ?? (await backing(folder));
  return `${name} ${met} of boot ${await bootId()}`;
}

/** Kernels before 5.15 give no number. */
async function backing(folder: string): Promise<string> {
  const file = await readFile(join(folder, 'loop/backing_file'), 'utf8').catch(() => '');
  const offset = (await readText(join(folder, 'loop/offset'))) ?? '';
  return `${file.trim()}@${offset}`;
}
