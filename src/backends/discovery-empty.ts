import { opendir, realpath, rmdir, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errorCode, ifThere } from '../platform/files.ts';
import { readMounts } from '../platform/mount-points.ts';
import { openFolder, type OpenFolder } from '../platform/open-folder.ts';
import type { RunCommand } from '../platform/run-command.ts';
import { mediumOfMount } from './discovery-medium.ts';

/** Where fsck puts what it finds; mkfs of ext2, 3 and 4 makes it, and it stays. */
const rescueFolder = 'lost+found';

interface Emptying {
  readonly run: RunCommand;
  readonly signal: AbortSignal;
  removed: number;
}

/**
 * Removes all that is in a mounted filesystem. It works on the mount that is held open, never on
 * what the path leads to later: should it be unmounted meanwhile, the directory underneath is
 * left alone. Links are removed and not followed; what is mounted below is not entered.
 *
 * @param id - what the filesystem that was found at `path` is known by
 * @returns what was done, for people
 * @throws Error where another one, or none, is mounted at the path, and where something is left
 */
export async function emptyFilesystem(
  { path, id }: { readonly path: string; readonly id: string },
  run: RunCommand,
  signal: AbortSignal,
): Promise<string> {
  const folder = await openFolder(path);
  try {
    const mount = (await readMounts()).find((one) => one.id === folder.mountId);
    const point = join(await realpath(dirname(path)), basename(path));
    // The number of a mount alone proves nothing: the kernel gives it to the next one.
    if (mount?.mountPoint !== point || (await mediumOfMount(mount, path, run)).id !== id) {
      throw new Error(`${path} is not the mount any more that was found there`);
    }
    const work: Emptying = { run, signal, removed: 0 };
    const keep = mount.fsType.startsWith('ext') ? rescueFolder : undefined;
    await empty(folder, keep, work);
    const left = (await listNames(folder.path)).filter((name) => name !== keep);
    if (left.length > 0) {
      throw new Error(`${path} still holds ${left.slice(0, 3).join(', ')}`);
    }
    return `${work.removed} files and directories deleted`;
  } finally {
    await folder.close();
  }
}

async function listNames(path: string): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { name } of await opendir(path)) {
    names.push(name);
  }
  return names;
}

async function empty(folder: OpenFolder, keep: string | undefined, work: Emptying): Promise<void> {
  let before: number;
  do {
    before = work.removed;
    // Read in pieces, not as a whole: a directory may hold millions of names. Some filesystems
    // leave names out while others are taken away.
    for await (const entry of await opendir(folder.path, { bufferSize: 256 })) {
      work.signal.throwIfAborted();
      const path = join(folder.path, entry.name);
      if (entry.isDirectory()) {
        await removeFolder(folder, path, { isKept: entry.name === keep, name: entry.name }, work);
      } else {
        await remove(folder, path, () => unlink(path), work);
      }
    }
  } while (work.removed > before);
}

async function removeFolder(
  parent: OpenFolder,
  path: string,
  { isKept, name }: { readonly isKept: boolean; readonly name: string },
  work: Emptying,
): Promise<void> {
  const folder = await openFolder(path);
  try {
    if (folder.mountId !== parent.mountId) {
      throw new Error(`something else is mounted at ${name} below it, which is left alone`);
    }
    await empty(folder, undefined, work);
  } finally {
    await folder.close();
  }
  if (!isKept) {
    await remove(parent, path, () => rmdir(path), work);
  }
}

/** A file that is immutable or may only grow, or lies in such a directory, is freed first. */
async function remove(
  parent: OpenFolder,
  path: string,
  act: () => Promise<void>,
  work: Emptying,
): Promise<void> {
  try {
    await ifThere(act());
  } catch (error) {
    if (!['EPERM', 'EACCES'].includes(errorCode(error) ?? '')) {
      throw error;
    }
    await free(`${parent.path}/.`, work);
    await free(path, work);
    await ifThere(act());
  }
  work.removed += 1;
}

/** Filesystems without such flags, and things that cannot have them, make it fail: no matter. */
async function free(path: string, { run, signal }: Emptying): Promise<void> {
  await run('chattr', ['-i', '-a', '--', path], signal).catch(() => signal.throwIfAborted());
}
