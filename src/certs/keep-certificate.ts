import { describeError } from '../model/errors.ts';
import { sleep } from '../platform/sleep.ts';
import type { Log } from '../usecases/ports.ts';
import type { CertificatePair } from './issue.ts';

export interface KeepOptions<T extends Shown> {
  /** Where certificates come from. @param shown - what is shown at present */
  readonly obtain: (shown: T | undefined) => Promise<T>;
  /** Makes callers trust it; called before it is shown, and again at every look. */
  readonly trust: (obtained: T) => Promise<void>;
  readonly show: (obtained: T) => void;
  /** Milliseconds after which to look again, if nothing wakes it before. */
  readonly lookAgainMs: (obtained: T) => number;
  /** What callers need to hear of a new authority, before a certificate of it is shown. */
  readonly settleMs: number;
  readonly log: Log;
}

export interface Shown {
  readonly server: CertificatePair;
}

export interface CertificateKeeper {
  /** Something changed: look now. */
  wake(): void;
  /** Resolves, and never rejects, once `signal` has fired. */
  run(signal: AbortSignal): Promise<void>;
}

const firstPauseMs = 500;
const longestPauseMs = 30_000;

/**
 * Keeps a server's certificate up to date while it runs.
 *
 * A new one is first made trusted and then shown, so that at every moment what is shown is
 * trusted. Where one of the steps fails, the present one stays and the steps are tried again.
 */
export function keepCertificate<T extends Shown>(options: KeepOptions<T>): CertificateKeeper {
  const { obtain, trust, show, lookAgainMs, settleMs, log } = options;
  let shown: T | undefined;
  let isAwake = true;
  let interrupt: () => void = () => {};

  async function look(signal: AbortSignal): Promise<number> {
    const obtained = await obtain(shown);
    await trust(obtained);
    if (shown?.server.cert !== obtained.server.cert) {
      if (shown !== undefined) {
        await sleep(settleMs, signal);
      }
      show(obtained);
      shown = obtained;
    }
    return lookAgainMs(obtained);
  }

  async function pause(ms: number, signal: AbortSignal): Promise<void> {
    const waiting = new AbortController();
    interrupt = () => waiting.abort();
    if (!isAwake) {
      await sleep(ms, AbortSignal.any([signal, waiting.signal]));
    }
    interrupt = () => {};
  }

  return {
    wake: () => {
      isAwake = true;
      interrupt();
    },
    run: async (signal) => {
      let pauseMs = firstPauseMs;
      while (!signal.aborted) {
        isAwake = false;
        let nextMs: number;
        try {
          nextMs = await look(signal);
          pauseMs = firstPauseMs;
        } catch (error) {
          log.error('the certificate could not be brought up to date, it is tried again', {
            error: describeError(error),
            pauseMs,
          });
          nextMs = pauseMs;
          pauseMs = Math.min(longestPauseMs, pauseMs * 2);
        }
        await pause(nextMs, signal);
      }
    },
  };
}
