import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ifThere } from './files.ts';

/**
 * The first name in these directories that is a device, or leads to it. A directory that is not
 * there has no names.
 *
 * @throws Error where a directory or a name in it cannot be read
 */
export async function entryOfDevice(
  device: string,
  directories: readonly string[],
): Promise<string | undefined> {
  const { rdev } = await stat(device);
  for (const directory of directories) {
    const names = (await ifThere(readdir(directory))) ?? [];
    for (const entry of names.map((name) => join(directory, name))) {
      const found = await ifThere(stat(entry));
      if (found?.isBlockDevice() && found.rdev === rdev) {
        return entry;
      }
    }
  }
  return undefined;
}
