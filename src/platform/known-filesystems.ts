import { mkdir, readFile } from 'node:fs/promises';
import type { FsType } from '../model/volume.ts';
import type { RunCommand } from './run-command.ts';

/** A device that has no filesystem and never will. */
const noDevice = '/dev/null';

/**
 * Whether the kernel knows a filesystem. One that comes in a module it loads when somebody mounts it:
 * so it is asked to, with nothing to mount.
 *
 * @param directory - is made where it is not there
 */
export async function isKnownFilesystem(
  fsType: FsType,
  { run, directory }: { readonly run: RunCommand; readonly directory: string },
  signal: AbortSignal,
): Promise<boolean> {
  if (await isLoaded(fsType)) {
    return true;
  }
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await run('mount', ['--types', fsType, noDevice, directory], signal).catch(() => undefined);
  signal.throwIfAborted();
  return isLoaded(fsType);
}

async function isLoaded(fsType: FsType): Promise<boolean> {
  const lines = (await readFile('/proc/filesystems', 'utf8')).split('\n');
  return lines.some((line) => line.trim() === fsType);
}
