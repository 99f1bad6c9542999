import { mkdir, rmdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { mountPointsBelow } from './mount-points.ts';
import type { RunCommand } from './run-command.ts';

/** What to mount: a filesystem of this type on this device. */
export interface Mountable {
  readonly type: string;
  readonly device: string;
}

export interface OwnMounts {
  /** Mounts a device for as long as `work` takes. */
  whileMounted(
    what: Mountable,
    work: (mount: string) => Promise<unknown>,
    signal: AbortSignal,
  ): Promise<void>;
  /** Takes away what an agent that was killed has left mounted. */
  unmountAll(): Promise<void>;
}

/** @param directory - holds the mounts for as long as they are needed; nobody else uses it */
export function ownMounts(run: RunCommand, directory: string): OwnMounts {
  async function unmountBelow(path: string): Promise<void> {
    for (const mount of await mountPointsBelow(path)) {
      await run('umount', [mount]);
    }
  }

  return {
    whileMounted: async ({ type, device }, work, signal) => {
      const mount = `${directory}/${basename(device)}`;
      await mkdir(mount, { recursive: true, mode: 0o700 });
      try {
        await run('mount', ['--types', type, device, mount], signal);
        await work(mount);
      } finally {
        await unmountBelow(mount);
        await rmdir(mount);
      }
    },
    unmountAll: () => unmountBelow(directory),
  };
}
