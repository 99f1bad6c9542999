import { sleep } from '../platform/sleep.ts';
import { watchFolder } from '../platform/watch-folder.ts';
import type { Log } from '../usecases/ports.ts';
import type { NodeParts } from './node-parts.ts';

export interface DiskWatchOptions {
  readonly log: Log;
  /** Disks came, went or changed. */
  readonly changed: () => void;
}

/** A disk appears with all its partitions, and udev looks at each of them. */
const settleMs = 500;

/**
 * Hears of disks from the kernel, which makes and removes their nodes in /dev, and from udev,
 * which writes down what it finds on them. Nothing runs while nothing happens.
 */
export async function watchDisks(
  { disks }: NodeParts,
  { log, changed }: DiskWatchOptions,
  signal: AbortSignal,
): Promise<void> {
  let isSettling = false;
  const settle = (): void => {
    if (!isSettling) {
      isSettling = true;
      void sleep(settleMs, signal).then(async () => {
        isSettling = false;
        if (!signal.aborted && (await disks.isOutdated())) {
          changed();
        }
      });
    }
  };
  await Promise.all([
    watchFolder({ path: '/dev', isNews: () => true, onNews: settle }, log, signal),
    watchFolder(
      {
        path: '/run/udev/data',
        // Of block devices, as `b8:16`; major 7 are loop devices, whose content is their pod's.
        isNews: (name) => /^b(?!7:)\d+:\d+$/.test(name),
        onNews: () => {
          disks.forget();
          settle();
        },
      },
      log,
      signal,
    ),
  ]);
}
