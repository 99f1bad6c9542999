import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ifThere } from './files.ts';

/** What the kernel says of a block device below /sys, whether udev runs or not. */
export interface BlockFacts {
  /** As `/dev/disk/by-id/wwn-...` has it: `0x5000c500a1b2c3d4`, `eui.0025385b71b0a2c6` ... */
  readonly wwn?: string | undefined;
  readonly serial?: string | undefined;
  /** The kernel's name for what a device of device-mapper is, such as `mpath-3600508b4...`. */
  readonly mapped?: string | undefined;
}

const noName = /^(0x|eui\.|uuid\.)?[0-]*$/;

/**
 * The names that a device has by itself. Read from the kernel and not from udev, which knows a
 * disk a moment after it appeared: a disk must not change its name meanwhile.
 */
export async function blockFacts(kname: string): Promise<BlockFacts> {
  const folder = join('/sys/class/block', kname);
  const first = async (...names: readonly string[]): Promise<string | undefined> => {
    for (const name of names) {
      const text = await readText(join(folder, name));
      if (text !== undefined && text !== '') {
        return text;
      }
    }
    return undefined;
  };
  const [wwid, serial, mapped] = await Promise.all([
    first('wwid', 'device/wwid'),
    first('serial', 'device/serial'),
    first('dm/uuid'),
  ]);
  return { wwn: toWwn(wwid), serial, mapped };
}

/** The kernel writes `naa.5000c500...` where everybody else writes `0x5000c500...`. */
function toWwn(wwid: string | undefined): string | undefined {
  const text = wwid?.replace(/^naa\./, '0x').replace(/\s+/g, '_');
  return text === undefined || noName.test(text) ? undefined : text;
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch {
    // A device that has just gone, or a driver that does not answer: it has no such name.
    return undefined;
  }
}

const filesystems = ['ext4', 'xfs', 'f2fs'];

/**
 * The devices that carry a mounted filesystem, by their kernel names, and which one: whatever
 * mount namespace it is mounted in. Filesystems that do not tell the kernel are missing.
 */
export async function mountedDevices(): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  const see = async (kind: string, folder: string): Promise<void> => {
    for (const name of (await ifThere(readdir(folder))) ?? []) {
      found.set(name, kind);
    }
  };
  await Promise.all(filesystems.map((kind) => see(kind, join('/sys/fs', kind))));
  for (const name of (await ifThere(readdir('/sys/fs/btrfs'))) ?? []) {
    await see('btrfs', join('/sys/fs/btrfs', name, 'devices'));
  }
  return found;
}
