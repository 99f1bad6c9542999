import { describeError } from '../../model/errors.ts';
import { CommandError, type RunCommand } from '../../platform/run-command.ts';

/** What a device of the device mapper can be made of, and the module of the kernel that has it. */
const modules = {
  linear: 'dm_mod',
  striped: 'dm_mod',
  raid: 'dm_raid',
  'thin-pool': 'dm_thin_pool',
  crypt: 'dm_crypt',
} as const;

export type MapperTarget = keyof typeof modules;

/**
 * Asks the device mapper itself, so that a kernel which finds the module loads it now.
 *
 * @returns why nothing can be made of it on this node; nothing where it can, or where the device
 * mapper is too old to be asked
 */
export async function whyNoTarget(
  target: MapperTarget,
  run: RunCommand,
): Promise<string | undefined> {
  try {
    await run('dmsetup', ['target-version', target]);
    return undefined;
  } catch (error) {
    return meaningOf(error, modules[target]);
  }
}

function meaningOf(error: unknown, module: string): string | undefined {
  if (!(error instanceof CommandError)) {
    return describeError(error);
  }
  if (error.exitCode === undefined && error.message.includes('ENOENT')) {
    return 'the program dmsetup is not there: the package dmsetup is missing in the image of the agent';
  }
  if (hasNoMapper(error.stderr)) {
    return noMapper;
  }
  return error.stderr.includes('Invalid argument')
    ? `the kernel of the node does not have ${module}: install and load that module (modprobe ${module})`
    : undefined;
}

export const noMapper =
  'the kernel of the node has no device mapper: install and load the module dm_mod (modprobe dm_mod)';

/** Whether a program that needs the device mapper says that there is none at all. */
export function hasNoMapper(stderr: string): boolean {
  return stderr.includes('communicate with kernel device-mapper');
}
