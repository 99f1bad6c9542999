import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  timeoutMs: number;
  intervalMs?: number;
  /** Facts for the error text when the time is over, e.g. the end of a log. */
  explain?: () => string | Promise<string>;
  /** Waiting ends at once with this error, e.g. because the process that should get ready has exited. */
  abort?: () => Error | undefined;
}

class WaitTimeoutError extends Error {
  override name = 'WaitTimeoutError';
}

/**
 * Asks `check` until it returns something other than undefined or false, and returns that.
 *
 * An error thrown by `check` counts as "not yet"; the last one becomes the cause of the timeout error.
 */
export async function waitFor<T>(
  what: string,
  check: () => T | Promise<T>,
  options: WaitOptions,
): Promise<Exclude<T, undefined | false>> {
  const endsAt = performance.now() + options.timeoutMs;
  let cause: unknown;
  do {
    const aborted = options.abort?.();
    if (aborted) throw aborted;
    try {
      const answer = await check();
      if (answer !== undefined && answer !== false) {
        return answer as Exclude<T, undefined | false>;
      }
    } catch (error) {
      cause = error;
    }
    await sleep(options.intervalMs ?? 50);
  } while (performance.now() < endsAt);
  throw await timeoutError(what, options, cause);
}

async function timeoutError(
  what: string,
  options: WaitOptions,
  cause: unknown,
): Promise<WaitTimeoutError> {
  const seconds = String(options.timeoutMs / 1000);
  const last = cause instanceof Error ? `; last error: ${cause.message}` : '';
  const facts = await options.explain?.();
  const text = `waited ${seconds} s for ${what}, in vain${last}${facts ? `\n${facts}` : ''}`;
  return new WaitTimeoutError(text, { cause });
}
