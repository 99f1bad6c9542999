import { mkdir, mkdtemp, readlink, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PoolDisks } from '../../src/backends/backend.ts';
import { parsePoolSpec, type DeclaredPool } from '../../src/backends/index.ts';
import { loopDevices } from '../../src/platform/loop-devices.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import { oneAtATime } from '../../src/usecases/one-at-a-time.ts';
import type { StorageBackend } from '../../src/usecases/ports.ts';

/** Real directories and real loop devices for a test; all of it is gone after `cleanUp`. */
export interface LoopGround {
  /** Holds everything below. */
  readonly root: string;
  /** The directory of the pool; it is there. */
  readonly directory: string;
  readonly runDir: string;
  /** The pool `fast` as a new agent would open it. */
  open(loop?: Readonly<Record<string, unknown>>, hasVolumes?: boolean): StorageBackend;
  plan(loop?: Readonly<Record<string, unknown>>): DeclaredPool;
  /** Detaches all devices of this ground and empties the run directory, as a reboot does. */
  reboot(): Promise<void>;
  /** The devices that have a file of this ground behind them. */
  devices(): Promise<readonly string[]>;
  /** A filesystem of its own at `directory`, so that it can be filled. */
  mountSmall(mebibytes: number): Promise<void>;
  cleanUp(): Promise<void>;
}

/** For backends that take no disks. */
export const noDisks: PoolDisks = {
  list: async () => [],
  present: async () => [],
  take: () => Promise.reject(new Error('there is no disk')),
};

const canUseLoopDevices = process.getuid?.() === 0;

/** Skips a suite where loop devices cannot be used; where everything must run, it fails instead. */
export function needLoopDevices(suite: Mocha.Context): void {
  if (!canUseLoopDevices && process.env['CI'] !== 'true') {
    suite.skip();
  }
}

export async function loopGround(): Promise<LoopGround> {
  const root = await mkdtemp(join(tmpdir(), 'berth-pool-'));
  const directory = join(root, 'pool');
  const runDir = join(root, 'run');
  await mkdir(directory);
  let isMounted = false;

  const ours = async () =>
    (await loopDevices(runCommand).list()).filter(({ backFile }) => backFile.startsWith(root));

  function plan(loop: Readonly<Record<string, unknown>> = {}): DeclaredPool {
    const spec = { backend: 'loop', loop: { directory, size: '64Mi', ...loop } };
    const pool = parsePoolSpec(spec);
    if (!pool.ok) {
      throw new Error(pool.error);
    }
    return pool.value;
  }

  async function detach(devices: readonly { path: string }[]): Promise<void> {
    await Promise.all(devices.map(({ path }) => runCommand('losetup', ['--detach', path])));
  }

  const inTurn = oneAtATime();
  const isImage = ({ backFile }: { backFile: string }) => !backFile.startsWith(`${root}/small`);

  return {
    root,
    directory,
    runDir,
    plan,
    open: (loop, hasVolumes = false) =>
      plan(loop).open({
        pool: 'fast',
        runDir,
        run: runCommand,
        now: () => 0,
        hasVolumes: () => hasVolumes,
        inTurn,
        disks: noDisks,
      }),
    reboot: async () => {
      await detach((await ours()).filter(isImage));
      await rm(runDir, { recursive: true, force: true });
    },
    devices: async () => (await ours()).filter(isImage).map(({ path }) => path),
    mountSmall: async (mebibytes) => {
      const file = join(root, 'small');
      await runCommand('truncate', ['-s', `${mebibytes}M`, file]);
      await runCommand('mkfs.ext4', ['-q', '-m', '0', file]);
      await runCommand('mount', ['-o', 'loop', file, directory]);
      isMounted = true;
    },
    cleanUp: async () => {
      await detach((await ours()).filter(isImage));
      if (isMounted) {
        await runCommand('umount', [directory]);
      }
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** What the links of a run directory lead to. */
export async function linksIn(runDir: string): Promise<Record<string, string>> {
  const names = await readdir(runDir);
  return Object.fromEntries(
    await Promise.all(
      names.map(async (name) => [name, await readlink(join(runDir, name))] as const),
    ),
  );
}
