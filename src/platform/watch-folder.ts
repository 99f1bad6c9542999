import { watch, type FSWatcher } from 'node:fs';
import { basename } from 'node:path';
import { describeError } from '../model/errors.ts';
import type { Log } from '../usecases/ports.ts';
import { errorCode } from './files.ts';
import { sleep } from './sleep.ts';

/** A folder in which the names of devices come and go. */
export interface WatchedFolder {
  readonly path: string;
  /** Whether an entry of this name says something. Contents are never watched. */
  readonly isNews: (name: string) => boolean;
  /** Called for each name that came, went or was replaced. */
  readonly onNews: () => void;
}

const againMs = 10_000;

/**
 * Watches by inotify until `signal` fires. A watch that ends or cannot be set up is tried again;
 * what happened meanwhile counts as news. A folder that is not there is left alone after the
 * first look: not every system has it.
 */
export async function watchFolder(
  folder: WatchedFolder,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  let told = '';
  for (let isFirst = true; !signal.aborted; isFirst = false) {
    try {
      await watchOnce(folder, isFirst, signal);
    } catch (error) {
      const { path } = folder;
      if (isFirst && errorCode(error) === 'ENOENT') {
        log.info('there is no such folder to watch for disks', { path });
        return;
      }
      const text = describeError(error);
      if (text !== told) {
        log.warn('the watch for disks has ended', { path, error: text });
      }
      told = text;
    }
    await sleep(againMs, signal);
  }
}

/** Resolves when `signal` fires, and rejects when the watch ends by itself. */
function watchOnce(
  { path, isNews, onNews }: WatchedFolder,
  isFirst: boolean,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (error: Error): void => {
      watcher.close();
      reject(error);
    };
    const watcher: FSWatcher = watch(path, (event, name) => {
      if (name === basename(path)) {
        // What the kernel says of the folder itself: it was removed, or moved away.
        end(new Error('the folder has gone'));
      } else if (event === 'rename' && (name === null || isNews(name))) {
        onNews();
      }
    });
    watcher.once('error', end);
    signal.addEventListener('abort', () => {
      watcher.close();
      resolve();
    });
    if (!isFirst) {
      onNews();
    }
  });
}
