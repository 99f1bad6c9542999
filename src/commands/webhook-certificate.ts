import type { Registry } from 'prom-client';
import { factsOf, validityOf, type Bundle } from '../certs/bundle.ts';
import { keepCertificate, type CertificateKeeper } from '../certs/keep-certificate.ts';
import { nextRenewalAt } from '../certs/rotate.ts';
import { ensureBundle } from '../certs/store.ts';
import { trustAuthorities, webhookResources, type WebhookRegistration } from '../kube/ca-bundle.ts';
import type { KubeClient } from '../kube/client.ts';
import type { KubeObject } from '../kube/objects.ts';
import { resourcePath } from '../kube/paths.ts';
import { createReflector } from '../kube/reflector.ts';
import { secretTexts } from '../kube/secret-slot.ts';
import type { Log, Now } from '../usecases/ports.ts';
import { expiryGauge, fileCertificate } from './file-certificate.ts';

export interface CertificateSettings {
  readonly namespace: string;
  readonly serviceName: string;
  readonly certSecret: string;
  readonly certNames: readonly string[];
  readonly webhookName: string;
  readonly tlsCertFile: string;
  readonly tlsKeyFile: string;
}

export interface CertificateParts {
  readonly client: KubeClient;
  readonly log: Log;
  readonly now: Now;
  readonly metrics: Registry;
  readonly show: (pair: { cert: string; key: string }) => void;
}

const minuteMs = 60_000;
/** An API server hears of a new caBundle by its watch, usually within milliseconds. */
const settleMs = 2_000;

/**
 * Keeps the webhook's certificate: from files where they are named, else from a Secret that all
 * replicas share and whose authority they make the API server trust.
 */
export function webhookCertificate(
  settings: CertificateSettings,
  parts: CertificateParts,
): Pick<CertificateKeeper, 'run'> {
  return settings.tlsCertFile === ''
    ? fromSecret(settings, parts)
    : fileCertificate(settings, parts);
}

function fromSecret(
  settings: CertificateSettings,
  parts: CertificateParts,
): Pick<CertificateKeeper, 'run'> {
  const { client, log, now, metrics } = parts;
  const { namespace, certSecret, webhookName } = settings;
  const names = [...serviceNames(settings), ...settings.certNames];
  const slot = secretTexts(client.api, { namespace, name: certSecret });
  const expiry = expiryGauge(metrics);
  const keeper = keepCertificate<Bundle>({
    obtain: (shown) => ensureBundle({ slot, names, now, log }, shown),
    trust: async ({ trusted }) => {
      const entries = await trustAuthorities(client.api, webhookName, trusted);
      if (entries > 0) {
        log.info('caBundle filled', { webhookName, entries });
      }
    },
    show: ({ authority, server }) => {
      const until = validityOf(server.cert).until;
      expiry.set({ certificate: 'server' }, until / 1000);
      expiry.set({ certificate: 'authority' }, validityOf(authority.cert).until / 1000);
      log.info('certificate shown', { until: date(until) });
      parts.show(server);
    },
    // At least hourly, for clocks that are set and machines that slept.
    lookAgainMs: (bundle) =>
      Math.min(60 * minuteMs, Math.max(minuteMs, nextRenewalAt(factsOf(bundle, names)) - now())),
    settleMs,
    log,
  });
  const watched = watchNamed(client, log, settings);
  for (const one of watched) {
    one.onChange(() => keeper.wake());
  }
  return {
    run: async (signal) => {
      await Promise.all([keeper.run(signal), ...watched.map((one) => one.run(signal))]);
    },
  };
}

/** The Secret and the two registrations: whoever changes one of them wakes the keeper. */
function watchNamed(client: KubeClient, log: Log, settings: CertificateSettings) {
  const { namespace, certSecret, webhookName } = settings;
  const watch = (path: string, name: string) =>
    createReflector<KubeObject>({
      ...{ ...client, log, path },
      selector: { fieldSelector: `metadata.name=${name}` },
      trim: ({ metadata }): WebhookRegistration => ({ ...(metadata && { metadata }) }),
    });
  return [
    watch(resourcePath('secrets', { namespace }), certSecret),
    ...webhookResources.map((resource) => watch(resourcePath(resource), webhookName)),
  ];
}

function serviceNames({ serviceName, namespace }: CertificateSettings): readonly string[] {
  const name = `${serviceName}.${namespace}.svc`;
  return [name, `${name}.cluster.local`];
}

function date(ms: number): string {
  return new Date(ms).toISOString();
}
