import { EventEmitter, once } from 'node:events';
import type { CertificatePair } from '../certs/issue.ts';
import type { Listening } from '../http/listen.ts';

/** Hands certificates on to a server that can begin only when the first one is there. */
export interface CertificateRelay {
  readonly show: (tls: CertificatePair) => void;
  /** @returns nothing when `signal` fired before */
  first(signal: AbortSignal): Promise<CertificatePair | undefined>;
  follow(listening: Listening): void;
  readonly isListening: () => boolean;
}

export function certificateRelay(): CertificateRelay {
  const events = new EventEmitter();
  let latest: CertificatePair | undefined;
  let server: Listening | undefined;
  return {
    show: (tls) => {
      latest = tls;
      server?.setCertificate(tls);
      events.emit('shown');
    },
    first: async (signal) => {
      while (latest === undefined && !signal.aborted) {
        await once(events, 'shown', { signal }).catch(() => signal.aborted);
      }
      return signal.aborted ? undefined : latest;
    },
    follow: (listening) => {
      server = listening;
      if (latest) {
        listening.setCertificate(latest);
      }
    },
    isListening: () => server !== undefined,
  };
}
