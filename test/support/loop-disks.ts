import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MiB } from '../../src/model/bytes.ts';
import { runCommand } from '../../src/platform/run-command.ts';

/** Real block devices for a test: files behind loop devices, all gone after `cleanUp`. */
export interface LoopDisks {
  /** Holds everything below. */
  readonly root: string;
  /** Makes one more disk. @returns its path */
  add(mebibytes: number): Promise<string>;
  /** Takes the disk away from the kernel as if it were unplugged, with all its partitions. */
  unplug(path: string): Promise<void>;
  /** @returns its path, another one perhaps */
  plugIn(path: string): Promise<string>;
  /** All of what stands on the disk, read past every cache. */
  content(path: string): Promise<Buffer>;
  cleanUp(): Promise<void>;
}

export async function loopDisks(): Promise<LoopDisks> {
  const root = await mkdtemp(join(tmpdir(), 'berth-disks-'));
  const files = new Map<string, string>();
  const attached = new Set<string>();

  async function plugIn(file: string): Promise<string> {
    const path = (await runCommand('losetup', ['--find', '--show', file])).trim();
    files.set(path, file);
    attached.add(path);
    return path;
  }

  async function unplug(path: string): Promise<void> {
    await runCommand('partx', ['--delete', path]).catch(() => undefined);
    await runCommand('losetup', ['--detach', path]);
    attached.delete(path);
  }

  return {
    root,
    unplug,
    add: async (mebibytes) => {
      const file = join(root, `disk-${files.size}`);
      await runCommand('truncate', ['-s', `${mebibytes}M`, file]);
      return plugIn(file);
    },
    plugIn: (path) => plugIn(files.get(path) ?? path),
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
      await Promise.all([...attached].map(unplug));
      await rm(root, { recursive: true, force: true });
    },
  };
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
