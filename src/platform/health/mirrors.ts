import { join } from 'node:path';
import { readNumber, readText } from './sys-files.ts';

/**
 * Which of the devices below a mirror of LVM or MD hold a copy of its data; nothing where it is no
 * mirror, or nobody can tell.
 */
export async function copiesIn(
  sys: string,
  name: string,
  slaves: readonly string[],
): Promise<readonly (readonly string[])[] | undefined> {
  if ((await readText(join(sys, 'class/block', name, 'md/level'))) === 'raid1') {
    return slaves.map((slave) => [slave]);
  }
  const copies = new Map<string, string[]>();
  for (const slave of slaves) {
    // LVM gives each copy two volumes: its data, and what is known of it.
    const copy = /_r(?:image|meta)_(\d+)$/.exec((await dmName(sys, slave)) ?? '')?.[1];
    if (copy === undefined) {
      return undefined;
    }
    copies.set(copy, [...(copies.get(copy) ?? []), slave]);
  }
  const isMirror = await holdAll(sys, name, [...copies.values()]);
  return isMirror ? [...copies.values()] : undefined;
}

/** LVM names the parts of every RAID so; only those of a mirror are each as big as the whole. */
async function holdAll(
  sys: string,
  name: string,
  copies: readonly (readonly string[])[],
): Promise<boolean> {
  const sizeOf = (device: string): Promise<number | undefined> =>
    readNumber(join(sys, 'class/block', device, 'size'));
  const whole = await sizeOf(name);
  const sizes = await Promise.all(
    copies.map(async (parts) => Math.max(...(await Promise.all(parts.map(sizeOf))).map(known))),
  );
  return copies.length > 0 && whole !== undefined && sizes.every((size) => size >= whole);
}

const known = (size: number | undefined): number => size ?? 0;

async function dmName(sys: string, device: string): Promise<string | undefined> {
  return readText(join(sys, 'class/block', device, 'dm/name'));
}
