import { PermanentError } from '../model/errors.ts';
import type { FsType } from '../model/volume.ts';
import { filesystemOn } from './filesystem-on.ts';
import { runLocked } from './locked.ts';
import type { OwnMounts } from './own-mounts.ts';
import { CommandError, type RunCommand } from './run-command.ts';

export interface NewFilesystem {
  /** The kernel's own name of the device. */
  readonly device: string;
  readonly fsType: FsType;
  readonly options: readonly string[];
}

/**
 * Never an option that forces: what is not blank must not be overwritten. Kubelet keeps no blocks of
 * an ext4 for root either; of options that are given twice the last one counts.
 */
const firstOptions: Readonly<Record<FsType, readonly string[]>> = {
  ext4: ['-q', '-m', '0'],
  xfs: ['-q'],
  btrfs: ['-q'],
};

/** Makes a filesystem and proves it. See `Filesystems.make`. */
export async function makeFilesystem(
  { device, fsType, options }: NewFilesystem,
  { run, mounts }: { readonly run: RunCommand; readonly mounts: OwnMounts },
  signal: AbortSignal,
): Promise<void> {
  const program = `mkfs.${fsType}`;
  try {
    await runLocked(device, [program, ...firstOptions[fsType], ...options, device], run, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw meaningOf(error, program);
  }
  const type = await filesystemOn(device, run);
  if (type !== fsType) {
    throw new PermanentError(
      `${program} ${options.join(' ')} was content, and made ${type ?? 'no filesystem'}`,
    );
  }
  try {
    await mounts.whileMounted({ type, device }, async () => {}, signal);
  } catch (error) {
    signal.throwIfAborted();
    const what = `the kernel of the node does not mount what ${program} ${options.join(' ')} has made`;
    throw new PermanentError(what, { cause: error });
  }
}

/** What does not pass by itself has to be told apart: one that was killed has said nothing of the options. */
function meaningOf(error: unknown, program: string): unknown {
  if (!(error instanceof CommandError) || error.exitCode === undefined) {
    return error;
  }
  return new PermanentError(
    error.stderr.includes('failed to execute')
      ? `${program} is not there: it has to be installed where the agent runs`
      : `${program} refuses: ${said(error)}`,
  );
}

const longestSaid = 700;

/** Of mkfs.xfs a list of all options follows what is wrong. */
function said({ stderr, message }: CommandError): string {
  const [text = ''] = stderr.trim().split(/\nUsage: /);
  return text.slice(0, longestSaid) || message;
}
