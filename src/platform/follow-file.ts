import { watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { describeError } from '../model/errors.ts';
import type { Log } from '../usecases/ports.ts';
import { sleep } from './sleep.ts';

export interface FollowedFile {
  readonly path: string;
  /** Called with what is in the file, first at once, then whenever it is something else. */
  readonly onText: (text: string) => void;
}

/** Kubelet puts a whole new folder behind this link; the names of the files stay. */
const mountedBehind = '..data';
/** Whoever writes a file does so in several steps. */
const settleMs = 200;
/** For folders that tell no news, such as those of some network filesystems. */
const lookAgainMs = 60_000;

/**
 * Reads a file now and after each change, until `signal` fires. One that cannot be read is left
 * out, with a line in the log, and read when it can be.
 */
export async function followFile(
  { path, onText }: FollowedFile,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  let known: string | undefined;
  let told: string | undefined;
  while (!signal.aborted) {
    const news = watchFor(path, signal);
    try {
      const text = await readFile(path, 'utf8');
      if (text !== known) {
        known = text;
        onText(text);
      }
      told = undefined;
    } catch (error) {
      const text = describeError(error);
      if (text !== told) {
        log.error('a file cannot be read, it is tried again', { path, error: text });
      }
      told = text;
    }
    await news;
    await sleep(settleMs, signal);
  }
}

/** Resolves when something happens to the file, or it is time to look anyway. It watches at once. */
async function watchFor(path: string, signal: AbortSignal): Promise<void> {
  const seen = new AbortController();
  const done = AbortSignal.any([signal, seen.signal]);
  const names = [basename(path), mountedBehind];
  try {
    const watcher = watch(dirname(path), { signal: done }, (_event, name) => {
      if (name === null || names.includes(name)) {
        seen.abort();
      }
    });
    // A folder that goes away is found by the next look.
    watcher.once('error', () => seen.abort());
  } catch {
    // There is no such folder: it is looked for by time alone.
  }
  await sleep(lookAgainMs, done);
  seen.abort();
}
