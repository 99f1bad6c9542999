import { access, mkdtemp, open, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { MiB } from '../../src/model/bytes.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import { waitFor } from '../cluster/wait.ts';

/** Real block devices for a test: files behind loop devices, all gone after `cleanUp`. */
export interface LoopDisks {
  /** Holds everything below. */
  readonly root: string;
  /** Makes one more disk. @returns its path */
  add(mebibytes: number): Promise<string>;
  /** Takes the disk away from the kernel, with all its partitions. @returns what brings it back */
  unplug(path: string): Promise<UnpluggedDisk>;
  /**
   * Lets the medium go, whoever uses the device: from here on it has no byte that could be read or written, as a device
   * that was unplugged. Its number stays taken, so that no other disk can come under its name meanwhile.
   */
  lose(path: string): Promise<void>;
  /** Brings it back as it was. */
  restore(path: string): Promise<void>;
  isLost(path: string): boolean;
  /** Puts another disk into the place of one, so that the kernel gives it the same name. */
  swap(path: string, file: string): Promise<void>;
  /** What is behind a disk. */
  fileOf(path: string): string;
  /** Makes what is behind a disk, without a disk. @returns its path */
  addFile(mebibytes: number): Promise<string>;
  /** All of what stands on the disk, read past every cache. */
  content(path: string): Promise<Buffer>;
  cleanUp(): Promise<void>;
}

export interface UnpluggedDisk {
  /** @returns its path, another one perhaps */
  plugIn(): Promise<string>;
}

export async function loopDisks(): Promise<LoopDisks> {
  const root = await mkdtemp(join(tmpdir(), 'berth-disks-'));
  const files = new Map<string, string>();
  const lost = new Set<string>();
  let count = 0;

  async function plugIn(file: string): Promise<string> {
    const path = (await runCommand('losetup', ['--find', '--show', file])).trim();
    files.set(path, file);
    // The number may have had a disk before that somebody made read-only.
    await runCommand('blockdev', ['--setrw', path]);
    return path;
  }

  async function unplug(path: string): Promise<UnpluggedDisk> {
    const file = files.get(path) ?? '';
    await runCommand('partx', ['--delete', path]).catch(() => undefined);
    await detach(path);
    files.delete(path);
    return { plugIn: () => plugIn(file) };
  }

  const copy = (from: string, to: string) => runCommand('cp', ['--sparse=always', from, to]);

  /** What was read before must not be read again from memory. */
  async function resized(path: string): Promise<void> {
    await runCommand('losetup', ['--set-capacity', path]);
    await runCommand('blockdev', ['--flushbufs', path]);
  }

  async function addFile(mebibytes: number): Promise<string> {
    const file = join(root, `disk-${(count += 1)}`);
    await runCommand('truncate', ['-s', `${mebibytes}M`, file]);
    return file;
  }

  return {
    root,
    unplug,
    isLost: (path) => lost.has(path),
    lose: async (path) => {
      const file = files.get(path) ?? '';
      await runCommand('partx', ['--delete', path]).catch(() => undefined);
      await runCommand('blockdev', ['--flushbufs', path]);
      await copy(file, `${file}.kept`);
      await truncate(file, 0);
      await resized(path);
      lost.add(path);
    },
    restore: async (path) => {
      const file = files.get(path) ?? '';
      await copy(`${file}.kept`, file);
      await resized(path);
      lost.delete(path);
    },
    addFile,
    fileOf: (path) => files.get(path) ?? '',
    swap: async (path, file) => {
      await unplug(path);
      await runCommand('losetup', [path, file]);
      files.set(path, file);
    },
    add: async (mebibytes) => plugIn(await addFile(mebibytes)),
    content: async (path) => {
      await runCommand('blockdev', ['--flushbufs', path]);
      const handle = await open(path, 'r');
      try {
        const size = Number(await runCommand('blockdev', ['--getsize64', path]));
        return (await handle.read(Buffer.alloc(size), 0, size, 0)).buffer;
      } finally {
        await handle.close();
      }
    },
    cleanUp: async () => {
      await Promise.all([...files.keys()].map(unplug));
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** It goes when the last one has closed it, such as a program that looks at all disks. */
export async function detach(path: string): Promise<void> {
  await runCommand('losetup', ['--detach', path]);
  const file = `/sys/block/${basename(path)}/loop/backing_file`;
  const isFree = () =>
    access(file).then(
      () => false,
      () => true,
    );
  await waitFor(`${path} to be free`, isFree, { timeoutMs: 10_000, intervalMs: 10 });
}

/** Fills a part of a disk with something that is not zero. */
export async function scribble(path: string, at: number, mebibytes: number): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.write(Buffer.alloc(mebibytes * MiB, 'secret'), 0, mebibytes * MiB, at);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
