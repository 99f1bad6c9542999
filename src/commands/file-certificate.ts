import { Gauge, type Registry } from 'prom-client';
import { validityOf } from '../certs/bundle.ts';
import { readCertificateFiles } from '../certs/files.ts';
import type { CertificatePair } from '../certs/issue.ts';
import { keepCertificate, type CertificateKeeper, type Shown } from '../certs/keep-certificate.ts';
import type { Log } from '../usecases/ports.ts';

export interface CertificateFiles {
  readonly tlsCertFile: string;
  readonly tlsKeyFile: string;
}

export interface FileCertificateParts {
  readonly log: Log;
  readonly metrics: Registry;
  readonly show: (pair: CertificatePair) => void;
}

/** How late a file that was replaced is noticed. Kubelet takes a minute to replace it anyway. */
const filesEveryMs = 5_000;

/** Keeps the certificate of a server that somebody else writes and renews. */
export function fileCertificate(
  { tlsCertFile, tlsKeyFile }: CertificateFiles,
  { log, metrics, show }: FileCertificateParts,
): CertificateKeeper {
  const expiry = expiryGauge(metrics);
  return keepCertificate<Shown>({
    obtain: () => readCertificateFiles(tlsCertFile, tlsKeyFile),
    trust: async () => {},
    show: ({ server }) => {
      const until = validityOf(server.cert).until;
      expiry.set({ certificate: 'server' }, until / 1000);
      log.info('certificate shown', { until: new Date(until).toISOString() });
      show(server);
    },
    lookAgainMs: () => filesEveryMs,
    settleMs: 0,
    log,
  });
}

export function expiryGauge(metrics: Registry): Gauge {
  return new Gauge({
    name: 'berth_certificate_expires_at_seconds',
    help: 'End of validity, in seconds since the epoch',
    labelNames: ['certificate'],
    registers: [metrics],
  });
}
