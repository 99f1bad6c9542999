import { sleep } from '../platform/sleep.ts';

/**
 * Fires some time after `asked` does. Until then the process is no longer ready and still
 * answers: the callers hear only gradually that they should turn to another replica.
 */
export function endAfterDrain(asked: AbortSignal, drainMs: number): AbortController {
  const ending = new AbortController();
  const drain = (): void => void sleep(drainMs).then(() => ending.abort());
  if (asked.aborted) {
    drain();
  } else {
    asked.addEventListener('abort', drain, { once: true });
  }
  return ending;
}
