import { randomUUID } from 'node:crypto';
import { opendir, realpath, rename, rmdir, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errorCode, ifThere } from '../platform/files.ts';
import { readMounts } from '../platform/mount-points.ts';
import { openFolder, type OpenFolder } from '../platform/open-folder.ts';
import type { RunCommand } from '../platform/run-command.ts';
import { isKnownAs, mediumOfMount } from './discovery-medium.ts';

/** Where fsck puts what it finds; mkfs of ext2, 3 and 4 makes it, and it stays. */
const rescueFolder = 'lost+found';

/** Each level that is entered is held open; what is deeper is moved up first. */
const deepest = 64;

interface Emptying {
  readonly run: RunCommand;
  readonly signal: AbortSignal;
  readonly top: OpenFolder;
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
    if (mount?.mountPoint !== point || !isKnownAs(id, await mediumOfMount(mount, path, run))) {
      throw new Error(`${path} is not the mount any more that was found there`);
    }
    const work: Emptying = { run, signal, top: folder, removed: 0 };
    const keep = mount.fsType.startsWith('ext') ? rescueFolder : undefined;
    await empty(folder, { keep, depth: 0 }, work);
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

interface Level {
  readonly depth: number;
  /** A directory in it that stays, empty. */
  readonly keep?: string | undefined;
}

async function empty(folder: OpenFolder, { keep, depth }: Level, work: Emptying): Promise<void> {
  let before: number;
  do {
    before = work.removed;
    // Read in pieces, not as a whole: a directory may hold millions of names. Some filesystems
    // leave names out while others are taken away.
    for await (const entry of await opendir(folder.path, { bufferSize: 256 })) {
      work.signal.throwIfAborted();
      const path = join(folder.path, entry.name);
      if (!entry.isDirectory()) {
        await remove(folder, path, () => unlink(path), work);
      } else if (depth < deepest || !(await movedUp(folder, path, work))) {
        await removeFolder(folder, { name: entry.name, depth, isKept: entry.name === keep }, work);
      }
    }
  } while (work.removed > before);
}

/** Whoever had the medium could nest more directories than this process may hold open. */
async function movedUp(parent: OpenFolder, path: string, work: Emptying): Promise<boolean> {
  try {
    await remove(parent, path, () => rename(path, join(work.top.path, randomUUID())), work);
    return true;
  } catch (error) {
    // Something is mounted there, or it is counted for another project.
    if (['EBUSY', 'EXDEV'].includes(errorCode(error) ?? '')) {
      return false;
    }
    throw error;
  }
}

async function removeFolder(
  parent: OpenFolder,
  {
    name,
    depth,
    isKept,
  }: { readonly name: string; readonly depth: number; readonly isKept: boolean },
  work: Emptying,
): Promise<void> {
  const path = join(parent.path, name);
  const folder = await openFolder(path);
  try {
    if (folder.mountId !== parent.mountId) {
      throw new Error(`something else is mounted at ${name} below it, which is left alone`);
    }
    await empty(folder, { depth: depth + 1 }, work);
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
