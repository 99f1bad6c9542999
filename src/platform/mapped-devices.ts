import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { bytes, type Bytes } from '../model/bytes.ts';
import { deviceNumber } from './device-number.ts';
import { ifThere } from './files.ts';

/** A device of the device mapper, as the kernel tells of it. */
export interface MappedDevice {
  /** By the kernel's own name, as `/dev/dm-7`. */
  readonly path: string;
  /** Of the form `253:7`. */
  readonly number: string;
  /** Begins with who made it: `CRYPT-LUKS2-`, `LVM-`. */
  readonly uuid: string;
  /** The kernel's names of what it lies on. */
  readonly lower: readonly string[];
  readonly bytes: Bytes;
}

const block = '/sys/class/block';
const kernelSectorBytes = 512;

/** Runs no program. @returns nothing where no device is mapped under that name */
export async function mappedDevice(name: string): Promise<MappedDevice | undefined> {
  for (const kname of await readdir(block)) {
    const folder = join(block, kname);
    const read = async (file: string): Promise<string | undefined> =>
      (await ifThere(readFile(join(folder, file), 'utf8')))?.trim();
    if (!/^dm-\d+$/.test(kname) || (await read('dm/name')) !== name) {
      continue;
    }
    return {
      path: `/dev/${kname}`,
      number: (await read('dev')) ?? '',
      uuid: (await read('dm/uuid')) ?? '',
      lower: (await ifThere(readdir(join(folder, 'slaves')))) ?? [],
      bytes: bytes(Number(await read('size')) * kernelSectorBytes),
    };
  }
  return undefined;
}

/** The number of a block device, of the form `253:7`; nothing where the path leads to none. */
export async function numberOf(path: string): Promise<string | undefined> {
  const found = await ifThere(stat(path));
  return found?.isBlockDevice() ? deviceNumber(found.rdev) : undefined;
}

/** The kernel's name of a block device: its file may have another, and several. */
export async function kernelName(path: string): Promise<string> {
  return basename(await realpath(`/sys/dev/block/${await numberOf(path)}`));
}
