import { watch, type FSWatcher } from 'node:fs';
import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { deviceNumber, loopsOverDevices, readDevice, whoHolds } from './device-facts.ts';
import { readMountsOfNode } from './mount-points.ts';

/** As many stand in one text: a directory with more is looked at as a whole anyway. */
const most = 1024;

/**
 * What can be seen of directories and of what is mounted in them without starting any program.
 * Two equal texts mean that it is not worth looking closer.
 */
export async function signsOf(directories: readonly string[]): Promise<string> {
  const mounts = (await readMountsOfNode()).filter(
    ({ mountPoint }) =>
      directories.some((one) => mountPoint.startsWith(`${one}/`)) ||
      mountPoint.includes('/volumes/kubernetes.io~'),
  );
  const entries = await Promise.all(directories.map(signOfDirectory));
  return JSON.stringify([mounts, entries, await loopsOverDevices()]);
}

async function signOfDirectory(directory: string): Promise<unknown> {
  try {
    const names = (await readdir(directory)).sort().slice(0, most);
    return await Promise.all(names.map((name) => signOfEntry(join(directory, name))));
  } catch (error) {
    return String(error);
  }
}

async function signOfEntry(path: string): Promise<unknown> {
  try {
    const stats = await stat(path, { bigint: true });
    if (stats.isBlockDevice()) {
      const facts = await readDevice(deviceNumber(stats));
      return [path, facts, facts && (await whoHolds(facts.path))];
    }
    const { blocks } = await statfs(path);
    return [path, String(stats.dev), String(stats.ino), blocks];
  } catch (error) {
    return [path, String(error)];
  }
}

/** Hears of names that come and go in directories. Mounts make no such news. */
export class DirectoryWatch {
  readonly #onChange: () => void;
  #watched = new Map<string, FSWatcher>();

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Watches these and no others. A directory that is not there is tried again next time. */
  set(directories: readonly string[]): void {
    for (const [path, watcher] of this.#watched) {
      if (!directories.includes(path)) {
        this.#forget(path, watcher);
      }
    }
    for (const path of directories) {
      if (!this.#watched.has(path)) {
        this.#begin(path);
      }
    }
  }

  #begin(path: string): void {
    try {
      const watcher = watch(path, { persistent: false }, this.#onChange);
      watcher.on('error', () => this.#forget(path, watcher));
      this.#watched.set(path, watcher);
    } catch {
      // It comes with the next look, which sees all that this would have told.
    }
  }

  #forget(path: string, watcher: FSWatcher): void {
    watcher.close();
    this.#watched.delete(path);
  }
}
