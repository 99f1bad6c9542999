import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { PermanentError } from '../model/errors.ts';
import type { Filesystems } from '../usecases/node-ports.ts';
import { blankEnds, hasBlankEnds } from './blank.ts';
import { kernelPath } from './device-number.ts';
import { errorCode } from './files.ts';
import { filesystemOn } from './filesystem-on.ts';
import { isKnownFilesystem } from './known-filesystems.ts';
import { makeFilesystem } from './make-filesystem.ts';
import { ownMounts } from './own-mounts.ts';
import type { RunCommand } from './run-command.ts';

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
 * Makes filesystems, and grows them over mounts of its own.
 *
 * The kernel keeps one filesystem per device, however often and in whatever mount namespace it is
 * mounted: a second mount reaches the one that a pod uses. So neither kubelet's folders nor the
 * mounts of the node have to be seen from here.
 *
 * @param directory - holds the mounts for as long as they are needed; nobody else uses it
 */
export function filesystems(run: RunCommand, directory: string): Filesystems {
  const mounts = ownMounts(run, directory);

  async function growMounted(type: string, device: string, signal: AbortSignal): Promise<void> {
    const grower = growers.get(type);
    if (grower === undefined) {
      throw new Error(`${device} holds ${type}, which does not grow`);
    }
    const grow = (mount: string): Promise<string> => {
      const [program, args] = grower({ device, mount });
      return run(program, args, signal);
    };
    await mounts.whileMounted({ type, device }, grow, signal);
  }

  return {
    grow: async (path, signal) => {
      const device = await deviceAt(path);
      if (device === undefined) {
        return;
      }
      const type = await filesystemOn(device, run);
      // One that is being made now has taken the old size of its device.
      await (type === undefined ? refuseIfHeld(device) : growMounted(type, device, signal));
    },
    refuseUnknown: async (path, fsType, signal) => {
      const isDevice = (await deviceAt(path)) !== undefined;
      if (isDevice && !(await isKnownFilesystem(fsType, { run, directory }, signal))) {
        throw new PermanentError(
          `the kernel of the node does not know the filesystem ${fsType}: install and load its module (modprobe ${fsType}), or use another fsType`,
        );
      }
    },
    isBlank: async (path) => {
      const device = await deviceAt(path);
      return device === undefined || hasBlankEnds(device);
    },
    blank: async (path, signal) => blankEnds(await kernelPath(path), run, signal),
    make: async (path, { fsType, options }, signal) => {
      const device = await kernelPath(path);
      await makeFilesystem({ device, fsType, options }, { run, mounts }, signal);
    },
    // A volume with such a mount cannot go, and says so: no reason for the agent not to start.
    unmountLeft: () => mounts.unmountAll().catch(() => undefined),
  };
}

/** The kernel's own name of a device; nothing for what is none. */
async function deviceAt(path: string): Promise<string | undefined> {
  return (await stat(path)).isBlockDevice() ? kernelPath(path) : undefined;
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
