import { describeError } from '../model/errors.ts';
import { sleep } from '../platform/sleep.ts';
import type { Log } from '../usecases/ports.ts';
import type { KubeApi } from './api.ts';

export interface ServerVersion {
  known(): boolean;
  /** Whether the API server is at least 1.`minor`. */
  atLeast(minor: number): boolean;
}

const pauseMs = 500;

/** Asks the API server for its version until it answers. */
export function readServerVersion(api: KubeApi, log: Log, signal: AbortSignal): ServerVersion {
  let found: number | undefined;
  const ask = async (): Promise<void> => {
    while (found === undefined && !signal.aborted) {
      try {
        const { minor } = await api.get<{ minor: string }>('/version');
        found = Number.parseInt(minor, 10);
      } catch (error) {
        log.warn('the server version is not known yet', { reason: describeError(error) });
        await sleep(pauseMs, signal);
      }
    }
  };
  void ask();
  return { known: () => found !== undefined, atLeast: (minor) => (found ?? 0) >= minor };
}
