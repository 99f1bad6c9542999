import { Registry } from 'prom-client';
import { parsePoolSpec } from '../backends/index.ts';
import type { SettingValues } from '../config/settings.ts';
import type { webhookSettings } from '../config/webhook-settings.ts';
import { listen } from '../http/listen.ts';
import { opsApp } from '../http/ops.ts';
import { webhookApp } from '../http/webhook.ts';
import { admissionView } from '../kube/admission-view.ts';
import { openCluster } from '../kube/client.ts';
import type { VolumeForm } from '../model/volume.ts';
import { jsonLog } from '../platform/log.ts';
import { admitClaim } from '../usecases/admit-claim.ts';
import { admitPod } from '../usecases/admit-pod.ts';
import { certificateRelay } from './certificate-relay.ts';
import { UsageError, type Run } from './command.ts';
import { endAfterDrain } from './drain.ts';
import { readPool } from './read-pool.ts';
import { webhookCertificate } from './webhook-certificate.ts';

type Settings = SettingValues<typeof webhookSettings>;

/** Admission: sends pods to the scheduler and nodes of their volumes. */
export const webhook: Run<typeof webhookSettings> = async (given, { signal }) => {
  if ((given.tlsCertFile === '') !== (given.tlsKeyFile === '')) {
    throw new UsageError('--tls-cert-file and --tls-key-file are given together, or neither');
  }
  await serve(given, signal);
};

/** @throws when one of the addresses cannot be taken; all else is tried until it succeeds */
async function serve(given: Settings, asked: AbortSignal): Promise<void> {
  const log = jsonLog('webhook');
  const metrics = new Registry();
  const client = openCluster(given.kubeconfig);
  const view = admissionView(client, log, formOf);
  const tls = certificateRelay();
  const certificate = webhookCertificate(given, {
    ...{ client, log, metrics },
    now: Date.now,
    show: tls.show,
  });
  const notReady = (): readonly string[] => [
    ...view.notReady(),
    ...(tls.isListening() ? [] : ['no certificate yet']),
    ...(asked.aborted ? ['it is ending'] : []),
  ];
  const excluded = ['kube-system', given.namespace];
  const app = webhookApp({
    handlers: {
      admitPod: (request) => admitPod(request, { view, routing: given, excluded, log }),
      admitClaim: (claim) => admitClaim(claim, view),
      readPool,
    },
    ...{ log, metrics },
  });

  const ending = endAfterDrain(asked, given.drain);
  const { signal } = ending;
  const running = [view.run(signal), certificate.run(signal)];
  try {
    const { opsAddress, opsPort, listenAddress, port } = given;
    const ops = await listen(opsApp(notReady, metrics), {
      ...{ address: opsAddress, port: opsPort, signal },
    });
    log.info('webhook started', { opsPort: ops.port });
    const first = await tls.first(signal);
    if (first) {
      const listening = await listen(app, { address: listenAddress, port, tls: first, signal });
      tls.follow(listening);
      log.info('webhook listens', { address: listenAddress, port: listening.port });
      await listening.closed;
    }
    await ops.closed;
  } finally {
    ending.abort();
    await Promise.all(running);
  }
}

function formOf(spec: unknown): VolumeForm | undefined {
  const pool = parsePoolSpec(spec);
  return pool.ok ? pool.value.gives : undefined;
}
