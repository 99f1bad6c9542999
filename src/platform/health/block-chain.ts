import { readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { BlockDevice, DeviceChain, DeviceChains } from '../../usecases/health-ports.ts';
import { bootId, readText } from './sys-files.ts';
import { mountOf, readMounts, type Mount } from './mounts.ts';

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
      await walk.path(path);
      return { devices: walk.devices, isCut: walk.isCut };
    },
  };
}

class Walk implements DeviceChain {
  readonly devices: BlockDevice[] = [];
  isCut = false;
  readonly #sys: string;
  readonly #mounts: readonly Mount[];

  constructor(sys: string, mounts: readonly Mount[]) {
    this.#sys = sys;
    this.#mounts = mounts;
  }

  /** A device file, or what lies in a filesystem. */
  async path(path: string): Promise<void> {
    const real = await realpath(path).catch(() => undefined);
    if (real === undefined) {
      this.isCut = true;
      return;
    }
    if (real.startsWith('/dev/')) {
      await this.#device(basename(real));
      return;
    }
    await this.#filesystem(mountOf(this.#mounts, real));
  }

  async #filesystem(mount: Mount | undefined): Promise<void> {
    if (mount === undefined) {
      return;
    }
    const byNumber = await readlink(join(this.#sys, 'dev/block', mount.device)).catch(() => '');
    // A filesystem of several devices, such as btrfs, has a number that is no device's.
    const source = byNumber === '' ? await realpath(mount.source).catch(() => '') : byNumber;
    if (source !== '') {
      await this.#device(basename(source));
    }
  }

  async #device(name: string): Promise<void> {
    const folder = join(this.#sys, 'class/block', name);
    const number = await readText(join(folder, 'dev'));
    if (number === undefined || this.devices.some((known) => known.name === name)) {
      return;
    }
    const at = this.devices.length;
    const identity = await identityOf(folder, name);
    this.devices.push({ name, number, identity, isDisk: true });
    await this.#siblings(name);
    const below = [...(await this.#slaves(folder)), ...(await this.#wholeDisk(folder))];
    for (const each of below) {
      await this.#device(each);
    }
    const isLoop = await this.#backingFile(folder);
    if (below.length > 0 || isLoop) {
      this.devices[at] = { name, number, identity, isDisk: false };
    }
  }

  /** The other devices of a btrfs that this one is part of. */
  async #siblings(name: string): Promise<void> {
    const folder = join(this.#sys, 'fs/btrfs');
    for (const uuid of await readdir(folder).catch(() => [])) {
      const members = await readdir(join(folder, uuid, 'devices')).catch((): string[] => []);
      for (const member of members.includes(name) ? members : []) {
        await this.#device(member);
      }
    }
  }

  async #slaves(folder: string): Promise<readonly string[]> {
    return readdir(join(folder, 'slaves')).catch(() => []);
  }

  async #wholeDisk(folder: string): Promise<readonly string[]> {
    const isPartition = (await readText(join(folder, 'partition'))) !== undefined;
    return isPartition ? [basename(dirname(await realpath(folder)))] : [];
  }

  /** @returns whether the device is a file's */
  async #backingFile(folder: string): Promise<boolean> {
    const file = await readText(join(folder, 'loop/backing_file'));
    if (file !== undefined) {
      await this.path(file);
    }
    return file !== undefined;
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
