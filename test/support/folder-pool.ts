import { mkdir, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parsePoolSpec, type DeclaredPool } from '../../src/backends/index.ts';
import { errorCode } from '../../src/platform/files.ts';
import { runCommand, type RunCommand } from '../../src/platform/run-command.ts';
import { oneAtATime } from '../../src/usecases/one-at-a-time.ts';
import type { StorageBackend } from '../../src/usecases/ports.ts';
import type { VolumeContent } from '../backends/contract.ts';
import { noDisks } from './loop-pool.ts';

/** A real filesystem, and a pool of folders on it; all of it is gone after `cleanUp`. */
export interface FolderGround {
  /** Holds everything below. */
  readonly root: string;
  /** The directory of the pool; it is there, and has a filesystem of its own where it was asked for. */
  readonly directory: string;
  readonly runDir: string;
  /** The pool `fast` as a new agent would open it. */
  open(change?: OpenChange): StorageBackend;
  plan(options?: Readonly<Record<string, unknown>>): DeclaredPool;
  /** Mounts the filesystem anew and empties the run directory, as a reboot does. */
  reboot(): Promise<void>;
  unmount(): Promise<void>;
  mount(): Promise<void>;
  cleanUp(): Promise<void>;
}

export interface OpenChange {
  readonly options?: Readonly<Record<string, unknown>>;
  readonly hasVolumes?: boolean;
  readonly run?: RunCommand;
  readonly pool?: string;
}

/** How to make the filesystem that the pool lies on. */
export interface GroundFilesystem {
  readonly mkfs: readonly [string, ...string[]];
  /** A disk to make it on; a file of 512 MiB where none is given. */
  readonly device?: string;
  readonly mountOptions?: string;
}

export async function folderGround(
  backend: 'btrfs' | 'directory',
  options: Readonly<Record<string, unknown>>,
  filesystem?: GroundFilesystem,
): Promise<FolderGround> {
  const root = await mkdtemp(join(tmpdir(), 'berth-folders-'));
  const directory = join(root, 'pool');
  const runDir = join(root, 'run');
  const file = filesystem?.device ?? join(root, 'filesystem');
  await mkdir(directory);

  async function mount(): Promise<void> {
    if (filesystem) {
      const mountOptions = [filesystem.device ? '' : 'loop', filesystem.mountOptions ?? '']
        .filter(Boolean)
        .join(',');
      await runCommand('mount', [...(mountOptions ? ['-o', mountOptions] : []), file, directory]);
    }
  }
  const unmount = async (): Promise<void> => {
    await (filesystem && runCommand('umount', [directory]));
  };
  if (filesystem) {
    const [program, ...args] = filesystem.mkfs;
    if (!filesystem.device) {
      await runCommand('truncate', ['-s', '512M', file]);
    }
    await runCommand(program, [...args, file]);
  }
  await mount();

  function plan(change: Readonly<Record<string, unknown>> = {}): DeclaredPool {
    const spec = { backend, [backend]: { directory, ...options, ...change } };
    const pool = parsePoolSpec(spec);
    if (!pool.ok) {
      throw new Error(pool.error);
    }
    return pool.value;
  }

  const inTurn = oneAtATime();
  return {
    ...{ root, directory, runDir, plan, mount, unmount },
    open: ({ options: changed, hasVolumes = false, run = runCommand, pool = 'fast' } = {}) =>
      plan(changed).open({
        ...{ pool, runDir, run, inTurn, disks: noDisks },
        now: () => 0,
        hasVolumes: () => hasVolumes,
      }),
    reboot: async () => {
      await unmount();
      await mount();
      await rm(runDir, { recursive: true, force: true });
    },
    cleanUp: async () => {
      await unmount().catch(() => undefined);
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** The data of a volume that is a directory, as one file in it. */
export const folderContent: VolumeContent = {
  write: async (path, text) => {
    const handle = await open(join(path, 'content'), 'w');
    await handle.write(text);
    await handle.sync();
    await handle.close();
  },
  read: async (path, length) => {
    try {
      return (await readFile(join(path, 'content'), 'utf8')).slice(0, length);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') {
        return '';
      }
      throw error;
    }
  },
};
