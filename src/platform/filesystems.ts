import { constants } from 'node:fs';
import { mkdir, open, realpath, rmdir, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Filesystems } from '../usecases/node-ports.ts';
import { errorCode } from './files.ts';
import { mountPointsBelow } from './mount-points.ts';
import { CommandError, type RunCommand } from './run-command.ts';

interface Mounted {
  readonly device: string;
  readonly mount: string;
}

type Grower = (at: Mounted) => readonly [program: string, args: readonly string[]];

/** Each of them grows while it is mounted; xfs and btrfs grow only then. */
const growers: ReadonlyMap<string, Grower> = new Map<string, Grower>([
  ['ext4', ({ device }) => ['resize2fs', [device]]],
  ['xfs', ({ mount }) => ['xfs_growfs', ['-d', mount]]],
  ['btrfs', ({ mount }) => ['btrfs', ['filesystem', 'resize', 'max', mount]]],
]);

/**
 * Grows filesystems over mounts of its own.
 *
 * The kernel keeps one filesystem per device, however often and in whatever mount namespace it is
 * mounted: a second mount reaches the one that a pod uses. So neither kubelet's folders nor the
 * mounts of the node have to be seen from here.
 *
 * @param directory - holds the mounts for as long as they are needed; nobody else uses it
 */
export function filesystems(run: RunCommand, directory: string): Filesystems {
  async function unmountBelow(path: string): Promise<void> {
    for (const mount of await mountPointsBelow(path)) {
      await run('umount', [mount]);
    }
  }

  async function growMounted(type: string, device: string, signal: AbortSignal): Promise<void> {
    const grower = growers.get(type);
    if (grower === undefined) {
      throw new Error(`${device} holds ${type}, which does not grow`);
    }
    const mount = `${directory}/${basename(device)}`;
    await mkdir(mount, { recursive: true, mode: 0o700 });
    try {
      await run('mount', ['--types', type, device, mount], signal);
      const [program, args] = grower({ device, mount });
      await run(program, args, signal);
    } finally {
      await unmountBelow(mount);
      await rmdir(mount);
    }
  }

  return {
    grow: async (path, signal) => {
      const device = await realpath(path);
      if (!(await stat(device)).isBlockDevice()) {
        return;
      }
      const type = await typeOf(device, run);
      // One that is being made now has taken the old size of its device.
      await (type === undefined ? refuseIfHeld(device) : growMounted(type, device, signal));
    },
    // A volume with such a mount cannot go, and says so: no reason for the agent not to start.
    unmountLeft: () => unmountBelow(directory).catch(() => undefined),
  };
}

/** blkid ends so where it recognises nothing. */
const nothingFound = 2;

/** The filesystem on a device, read from the device itself and not from any cache. */
async function typeOf(device: string, run: RunCommand): Promise<string | undefined> {
  try {
    const args = ['--probe', '--match-tag', 'TYPE', '--output', 'value', device];
    const type = await run('blkid', args);
    return type.trim() || undefined;
  } catch (error) {
    if (error instanceof CommandError && error.exitCode === nothingFound) {
      return undefined;
    }
    throw error;
  }
}

async function refuseIfHeld(device: string): Promise<void> {
  try {
    const handle = await open(device, constants.O_RDONLY | constants.O_EXCL);
    await handle.close();
  } catch (error) {
    throw errorCode(error) === 'EBUSY'
      ? new Error(`${device} is in use and has no filesystem yet`, { cause: error })
      : error;
  }
}
