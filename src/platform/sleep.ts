import { setTimeout as wait } from 'node:timers/promises';

/** Waits, or ends early and quietly when `signal` fires: the caller looks at the signal next. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await wait(ms, undefined, signal ? { signal } : {});
  } catch (error) {
    if (!signal?.aborted) {
      throw error;
    }
  }
}
