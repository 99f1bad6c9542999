import { PermanentError } from '../../model/errors.ts';
import { CommandError, type RunCommand } from '../../platform/run-command.ts';
import type { Key } from '../../usecases/encryption-ports.ts';
import { whyNoTarget } from './mapper.ts';

export type RunCryptsetup = (
  args: readonly string[],
  given?: { readonly key?: Key; readonly signal?: AbortSignal },
) => Promise<string>;

/**
 * Device files are made by the program itself: udev of the node cannot tell a process in another
 * IPC namespace when it is done.
 */
const withoutUdev = 'DM_DISABLE_UDEV=1';

/** Runs one command of cryptsetup. A key goes in by standard input, where nobody else sees it. */
export function cryptsetupRunner(run: RunCommand): RunCryptsetup {
  return async (args, { key, signal } = {}) => {
    try {
      return await run('env', [withoutUdev, 'cryptsetup', ...args], signal, key);
    } catch (error) {
      throw understood(error, args);
    }
  };
}

/** No program of that name: env(1). */
const notThere = 127;
/** No key slot can be opened: cryptsetup(8). */
const wrongKey = 2;

function understood(error: unknown, [command = '', ...args]: readonly string[]): unknown {
  if (!(error instanceof CommandError)) {
    return error;
  }
  const { exitCode, stderr } = error;
  if (exitCode === notThere) {
    return new PermanentError(
      'the program cryptsetup is not there: encryption needs the package cryptsetup-bin in the image of the agent',
    );
  }
  if (exitCode === wrongKey && args.includes('--key-file=-')) {
    return new PermanentError(
      'the key is not the one that the volume was made with: put that one back; nothing was changed on the disk',
    );
  }
  if (command === 'close') {
    return /busy|in use/i.test(stderr)
      ? new Error(`/dev/mapper/${args[0] ?? ''} is in use`)
      : error;
  }
  return isOfKernel(command, stderr)
    ? new PermanentError(`the kernel needs dm_crypt and its ciphers: ${stderr.trim()}`)
    : error;
}

function isOfKernel(command: string, stderr: string): boolean {
  const begins = command === 'open' || command === 'luksFormat';
  return begins && /kernel supports|device-mapper/i.test(stderr);
}

/** @throws PermanentError where nothing can be encrypted on this node */
export async function refuseWithoutMapper(run: RunCommand): Promise<void> {
  await cryptsetupRunner(run)(['--version']);
  const why = await whyNoTarget('crypt', run);
  if (why !== undefined) {
    throw new PermanentError(`nothing can be encrypted here: ${why}`);
  }
}
