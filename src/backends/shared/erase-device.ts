import { realpath } from 'node:fs/promises';
import { formatBytes, GiB } from '../../model/bytes.ts';
import type { ErasePolicy } from '../../model/volume.ts';
import { blockDeviceBytes } from '../../platform/block-size.ts';
import { refuseIfHeld } from '../../platform/held.ts';
import { CommandError, type RunCommand } from '../../platform/run-command.ts';
import { endsOf, overwriteWithZeros, zeroRegions } from './zeros.ts';

/**
 * Erases a block device that nobody uses any more, and waits until that is on the medium. May be
 * repeated after a crash.
 *
 * - `discard`: its blocks are given back where the medium knows how, and it reads as zeros.
 * - `zero`: zeros are written over everything that is not zero.
 * - `none`: only both ends are zeroed, so that nobody mounts an old filesystem by accident.
 *
 * @returns what was done, for people
 * @throws Error while somebody still uses the device
 */
export async function eraseDevice(
  path: string,
  erase: ErasePolicy,
  run: RunCommand,
  signal: AbortSignal,
): Promise<string> {
  const device = await realpath(path);
  await refuseIfHeld(device);
  const length = await blockDeviceBytes(device);
  const size = formatBytes(length);
  switch (erase) {
    case 'discard': {
      const isDiscarded = await discard(device, run, signal);
      await run('blkdiscard', ['--zeroout', ...inSteps, device], signal);
      return isDiscarded ? `discarded ${size}` : `zeroed ${size}, the disk cannot discard`;
    }
    case 'zero':
      await overwriteWithZeros(device, 0, signal);
      return `${size} overwritten with zeros`;
    case 'none':
      await zeroRegions(device, endsOf({ start: 0, bytes: length }));
      return `${size} left as they are, all but the signatures at both ends`;
  }
}

/** So that it can be stopped on the way. */
const inSteps = ['--step', String(GiB)];

/** @returns whether the medium knows how. What it shows of discarded blocks nobody can rely on. */
async function discard(device: string, run: RunCommand, signal: AbortSignal): Promise<boolean> {
  try {
    await run('blkdiscard', [...inSteps, device], signal);
    return true;
  } catch (error) {
    if (error instanceof CommandError && error.stderr.includes('not supported')) {
      return false;
    }
    throw error;
  }
}
