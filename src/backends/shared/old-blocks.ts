import { statfs } from 'node:fs/promises';

/** Filesystems that write to another place than where the old bytes are: linux/magic.h. */
const copyOnWrite: ReadonlyMap<number, string> = new Map([
  [0x9123683e, 'btrfs'],
  [0xca451a4e, 'bcachefs'],
  [0x2fc12fc1, 'zfs'],
]);

/** @returns what to add to the news that files below `directory` were overwritten */
export async function describeOldBlocks(directory: string): Promise<string> {
  const { type } = await statfs(directory);
  const name = copyOnWrite.get(type);
  return name === undefined
    ? ''
    : `; ${name} wrote them elsewhere, old blocks wait to be used again`;
}
