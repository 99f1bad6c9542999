import { CommandError, type RunCommand } from './run-command.ts';

/** blkid ends so where it recognises nothing. */
const nothingFound = 2;

/** The filesystem on a device, read from the device itself and not from any cache. */
export async function filesystemOn(device: string, run: RunCommand): Promise<string | undefined> {
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
