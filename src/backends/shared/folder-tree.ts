import { lstat } from 'node:fs/promises';
import type { ErasePolicy } from '../../model/volume.ts';
import { errorCode, ifThere } from '../../platform/files.ts';
import type { RunCommand } from '../../platform/run-command.ts';
import { zeroFiles } from './folder-zero.ts';
import { describeOldBlocks } from './old-blocks.ts';

/**
 * Takes a path away with all below it, whatever its users have made of it: odd and endless names,
 * files that cannot be changed, links. rm looks up each name in the directory that it has open, so
 * it never leaves the tree; it does not go into what is mounted there.
 */
export async function removeTree(path: string, run: RunCommand): Promise<void> {
  const rm = (): Promise<string> =>
    run('rm', ['--recursive', '--force', '--one-file-system', '--', path]);
  try {
    await rm();
  } catch {
    await makeChangeable(path, run);
    await rm();
  }
}

/** Takes the attributes away that keep root itself from removing a file. */
export async function makeChangeable(path: string, run: RunCommand): Promise<void> {
  // It fails for links and the like, which have no attributes; whether all is well now shows next.
  await run('chattr', ['-R', '-f', '-i', '-a', path]).catch(() => undefined);
}

/** See `FolderCut.erase`, for data that lies in the pool's own filesystem. */
export function eraseTree(run: RunCommand) {
  return async (
    data: string,
    erase: ErasePolicy,
    size: string,
    signal: AbortSignal,
  ): Promise<string> => {
    if (erase === 'none') {
      return `${size} left as they are, files removed`;
    }
    if (erase === 'discard') {
      return `${size} given back to the filesystem: files removed, nothing overwritten`;
    }
    const files = await zeroAll(data, run, signal);
    const note = await ifThere(describeOldBlocks(data));
    return `${size}: ${files} files overwritten with zeros${note ?? ''}, and removed`;
  };
}

async function zeroAll(data: string, run: RunCommand, signal: AbortSignal): Promise<number> {
  const stat = await ifThere(lstat(data));
  if (stat?.isDirectory() !== true) {
    return 0;
  }
  try {
    return await zeroFiles(data, signal);
  } catch (error) {
    if (errorCode(error) !== 'EPERM') {
      throw error;
    }
    await makeChangeable(data, run);
    return zeroFiles(data, signal);
  }
}
