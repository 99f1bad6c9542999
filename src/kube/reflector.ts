import { describeError } from '../model/errors.ts';
import { sleep } from '../platform/sleep.ts';
import type { Log } from '../usecases/ports.ts';
import { ApiError, type KubeApi, type Query } from './api.ts';
import { keyOf, type KubeObject } from './objects.ts';

/** Hears of every change of one object: `before` is missing when it is new, `after` when it is gone. */
export type ChangeListener<T> = (before: T | undefined, after: T | undefined) => void;

/** The objects of one collection, kept up to date in memory by a list and a watch. */
export interface Reflector<T> {
  get(key: string): T | undefined;
  list(): Iterable<T>;
  readonly size: number;
  /** True once the first list has been read whole; stays true when the watch breaks later. */
  readonly synced: boolean;
  onChange(listener: ChangeListener<T>): void;
  /** Resolves, and never rejects, once `signal` has fired. */
  run(signal: AbortSignal): Promise<void>;
}

/** Begins to watch a collection; the controller ends it. */
export type OpenWatch = (
  path: string,
  query: Query,
  onEvent: (type: string, object: unknown) => void,
  onEnd: (error: unknown) => void,
) => Promise<AbortController>;

export interface ReflectorOptions<T> {
  readonly openWatch: OpenWatch;
  readonly api: KubeApi;
  readonly log: Log;
  readonly path: string;
  readonly selector?: { readonly labelSelector?: string; readonly fieldSelector?: string };
  /** Cuts an object down to what is used, so that thousands of them stay small. */
  readonly trim?: (object: T) => T;
}

const pageSize = 1000;
const watchSeconds = 290;
const firstPauseMs = 200;
const longestPauseMs = 10_000;

interface ListAnswer<T> {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: T[];
}

interface WatchEnd {
  readonly resourceVersion: string;
  /** The server no longer knows our resourceVersion: list again. */
  readonly expired: boolean;
  readonly error: unknown;
}

/**
 * Starts with a list in pages, goes on with a watch from that list's resourceVersion, and
 * lists again only when the server has forgotten that version (410).
 *
 * The protocol: kubernetes.io/docs/reference/using-api/api-concepts, "Efficient detection of changes".
 */
export function createReflector<T extends KubeObject>(options: ReflectorOptions<T>): Reflector<T> {
  const { openWatch, api, log, path, selector = {}, trim = (object: T) => object } = options;
  const objects = new Map<string, T>();
  const listeners: ChangeListener<T>[] = [];
  let synced = false;

  function tell(before: T | undefined, after: T | undefined): void {
    for (const listener of listeners) {
      try {
        listener(before, after);
      } catch (error) {
        log.error('a change listener failed', { path, error });
      }
    }
  }

  function put(object: T): void {
    const key = keyOf(object);
    const after = trim(object);
    const before = objects.get(key);
    objects.set(key, after);
    tell(before, after);
  }

  function drop(key: string): void {
    const before = objects.get(key);
    if (objects.delete(key)) {
      tell(before, undefined);
    }
  }

  async function list(): Promise<string> {
    const seen = new Set<string>();
    let token: string | undefined;
    let version: string;
    do {
      const query: Query = { ...selector, limit: pageSize, continue: token };
      const page = await api.get<ListAnswer<T>>(path, query);
      for (const item of page.items) {
        seen.add(keyOf(item));
        put(item);
      }
      token = page.metadata.continue === '' ? undefined : page.metadata.continue;
      version = page.metadata.resourceVersion;
    } while (token !== undefined);
    for (const key of [...objects.keys()].filter((known) => !seen.has(known))) {
      drop(key);
    }
    synced = true;
    return version;
  }

  function watch(from: string, signal: AbortSignal): Promise<WatchEnd> {
    let version = from;
    let expired = false;
    const apply = (type: string, given: unknown): void => {
      const object = given as T;
      if (type === 'ERROR') {
        expired = true;
        return;
      }
      version = object.metadata?.resourceVersion ?? version;
      if (type === 'DELETED') {
        drop(keyOf(object));
      } else if (type !== 'BOOKMARK') {
        put(object);
      }
    };
    return new Promise((resolve) => {
      const query = {
        ...selector,
        resourceVersion: from,
        allowWatchBookmarks: true,
        timeoutSeconds: watchSeconds,
      };
      let stop = (): void => {};
      const timer = setTimeout(() => stop(), (watchSeconds + 15) * 1000);
      const done = (error: unknown): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
        const gone = (error as { statusCode?: number } | null)?.statusCode === 410;
        resolve({ resourceVersion: version, expired: expired || gone, error });
      };
      void openWatch(path, query, apply, done).then((controller) => {
        stop = () => controller.abort();
        if (signal.aborted) {
          stop();
        }
        signal.addEventListener('abort', stop, { once: true });
      }, done);
    });
  }

  async function run(signal: AbortSignal): Promise<void> {
    let version: string | undefined;
    let pauseMs = firstPauseMs;
    while (!signal.aborted) {
      try {
        version ??= await list();
        const startedAt = performance.now();
        const end = await watch(version, signal);
        version = end.expired ? undefined : end.resourceVersion;
        // A watch that lasted proves that the server is well; one that ended at once does not.
        if (performance.now() - startedAt > longestPauseMs) {
          pauseMs = firstPauseMs;
          continue;
        }
        if (signal.aborted) {
          break;
        }
        log.warn('watch ended early, it is started again', { path, reason: end.error ?? 'closed' });
      } catch (error) {
        version = error instanceof ApiError && error.status === 410 ? undefined : version;
        log.warn('list failed, it is tried again', { path, reason: describeError(error), pauseMs });
      }
      await sleep(pauseMs, signal);
      pauseMs = Math.min(longestPauseMs, pauseMs * 2);
    }
  }

  return {
    get: (key) => objects.get(key),
    list: () => objects.values(),
    get size() {
      return objects.size;
    },
    get synced() {
      return synced;
    },
    onChange: (listener) => listeners.push(listener),
    run,
  };
}
