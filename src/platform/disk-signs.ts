import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ifThere } from './files.ts';

/** Whether it matters that a device comes, goes or grows, by its kernel name. */
export type IsWatched = (kname: string) => boolean;

/** Where udev puts names of disks, and of their partitions. */
export const linkFolders = ['by-id', 'by-path'].map((name) => join('/dev/disk', name));

/** Memory and network that only look like disks, and drives for media. */
export const noDisks = /^(z?ram|nbd|rbd|sr|fd|drbd|md|dm-)\d*/;

/** Which devices there are, how big, and which of them are mounted or used as swap, as one text. */
export async function signsOfUse(isWatched: IsWatched): Promise<string> {
  const [rows, swaps, mounts] = await Promise.all([
    watchedRows(isWatched),
    ifThere(readFile('/proc/swaps', 'utf8')),
    readFile('/proc/self/mountinfo', 'utf8'),
  ]);
  // Pods mount the same device many times; what matters is whether it is mounted at all.
  const sources = mounts
    .split('\n')
    .flatMap((line) => / - \S+ (\/dev\/\S+) /.exec(line)?.[1] ?? []);
  const mounted = [...new Set(sources)].filter((path) => isWatched(path.slice('/dev/'.length)));
  return [...rows.map(({ text }) => text), swaps ?? '', ...mounted.sort()].join('\n');
}

/**
 * Which disks there are, as one text: another one as soon as a disk comes, goes, grows, gets other
 * names from udev or is replaced by another one with the same name, be it as large as the first.
 *
 * - `/proc/partitions` has the kernel's name, the device number and the size;
 * - the number of its folder in /sys is new whenever the kernel makes the device anew;
 * - `diskseq` of it grows with every medium, such as the next file behind the same loop device
 *   (Linux 5.15; before, such a change of medium shows only by its size);
 * - the links are what udev makes with everything else it knows of a disk, such as its serial number.
 *
 * Partitions are left out, and what is made of disks: volumes are some of them.
 */
export async function signsOfDisks(isWatched: IsWatched): Promise<string> {
  const [rows, whole] = await Promise.all([watchedRows(isWatched), readdir('/sys/block')]);
  const candidates = rows.filter(({ kname }) => whole.includes(kname));
  const are = await Promise.all(candidates.map(({ kname }) => isDisk(kname)));
  const disks = candidates.filter((_, index) => are[index]);
  const names = disks.map(({ kname }) => kname);
  const [instances, links] = await Promise.all([
    Promise.all(disks.map(async ({ kname, text }) => `${text} ${await instanceOf(kname)}`)),
    Promise.all(linkFolders.map((folder) => linksTo(names, folder))),
  ]);
  return [...instances, ...links.flat()].join('\n');
}

/** Whether it can be listed as a disk of its own, see `ListDisks`. */
async function isDisk(kname: string): Promise<boolean> {
  if (!noDisks.test(kname)) {
    return true;
  }
  const mapped = await ifThere(readFile(`/sys/block/${kname}/dm/uuid`, 'utf8'));
  return mapped?.startsWith('mpath-') === true;
}

interface DeviceRow {
  readonly kname: string;
  readonly text: string;
}

async function watchedRows(isWatched: IsWatched): Promise<readonly DeviceRow[]> {
  const lines = (await readFile('/proc/partitions', 'utf8')).split('\n');
  return lines
    .map((text) => ({ text, kname: text.trim().split(/\s+/)[3] ?? '' }))
    .filter(({ kname }) => kname !== '' && isWatched(kname));
}

/** Which device of this name it is. */
async function instanceOf(kname: string): Promise<string> {
  const folder = `/sys/block/${kname}`;
  const [made, medium] = await Promise.all([
    ifThere(stat(folder, { bigint: true })),
    ifThere(readFile(`${folder}/diskseq`, 'utf8')),
  ]);
  return `${made?.ino} ${medium?.trim()}`;
}

async function linksTo(knames: readonly string[], folder: string): Promise<readonly string[]> {
  const names = (await ifThere(readdir(folder))) ?? [];
  const whole = names.filter((name) => !/-part\d+$/.test(name)).sort();
  const links = whole.map(async (name) => {
    const target = (await ifThere(realpath(join(folder, name)))) ?? '';
    return knames.includes(basename(target)) ? [`${name} ${target}`] : [];
  });
  return (await Promise.all(links)).flat();
}
