import type { LocalVolumeObject } from './custom-objects.ts';
import type { Reflector } from './reflector.ts';

/** Lets callers wait for what a reflector will learn. */
export interface Waiter {
  /** @returns whether `done` came to hold within the time */
  until(key: string, done: () => boolean, timeoutMs: number): Promise<boolean>;
}

/** Looks again at each change of the awaited key. */
export function waiter<T extends LocalVolumeObject>(memory: Reflector<T>): Waiter {
  const waiting = new Map<string, Set<() => void>>();
  memory.onChange((before, after) => {
    const name = (after ?? before)?.metadata.name ?? '';
    for (const look of waiting.get(name) ?? []) {
      look();
    }
  });
  return {
    until: (key, done, timeoutMs) =>
      new Promise((resolve) => {
        const looks = waiting.get(key) ?? new Set();
        waiting.set(key, looks);
        const end = (held: boolean): void => {
          clearTimeout(timer);
          looks.delete(look);
          if (looks.size === 0) {
            waiting.delete(key);
          }
          resolve(held);
        };
        const look = (): void => {
          if (done()) {
            end(true);
          }
        };
        const timer = setTimeout(() => end(done()), timeoutMs);
        looks.add(look);
        look();
      }),
  };
}
