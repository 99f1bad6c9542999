import { mkdir, open, readlink, rename, rm, symlink } from 'node:fs/promises';
import { dirname } from 'node:path';

/** The code of a system error, such as `ENOENT`; nothing for errors of another kind. */
export function errorCode(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

/** The value, or nothing where the file is not there; one of sysfs can go with its device while it is read (ENODEV). */
export async function ifThere<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (['ENOENT', 'ENODEV'].includes(errorCode(error) ?? '')) {
      return undefined;
    }
    throw error;
  }
}

/** Makes names that were added to, or taken from, a directory outlive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes `path` a link to `target` in one step: nobody ever sees it missing or half made. */
export async function ensureLink(path: string, target: string): Promise<void> {
  const before = await ifThere(readlink(path));
  if (before === target) {
    return;
  }
  await mkdir(dirname(path), { recursive: true });
  const fresh = `${path}${freshLinkSuffix}`;
  await rm(fresh, { force: true });
  await symlink(target, fresh);
  await rename(fresh, path);
}

/** Ends the name of a link that is not in its place yet; one that stays was left by a crash. */
export const freshLinkSuffix = '.fresh';
