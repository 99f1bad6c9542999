import { randomUUID } from 'node:crypto';
import { Registry } from 'prom-client';
import type { NamespaceRules } from '../broker/surroundings.ts';
import type { brokerSettings } from '../config/broker-settings.ts';
import type { SettingValues } from '../config/settings.ts';
import { brokerApp } from '../http/broker.ts';
import { brokerMetrics } from '../http/broker-metrics.ts';
import { listen } from '../http/listen.ts';
import { opsApp } from '../http/ops.ts';
import { instanceStore } from '../kube/broker-instances.ts';
import { openCluster } from '../kube/client.ts';
import { faultPoints, type FaultPoints } from '../platform/fault-points.ts';
import { jsonLog } from '../platform/log.ts';
import { checkJson } from '../platform/json-schema.ts';
import { serveInstances } from '../usecases/serve-instances.ts';
import { followCatalog, followCredentials } from './broker-catalog.ts';
import { brokerWork } from './broker-work.ts';
import { certificateRelay } from './certificate-relay.ts';
import { UsageError, type Run } from './command.ts';
import { endAfterDrain } from './drain.ts';
import { faultDirectoryVariable } from './fault-steps.ts';
import { fileCertificate } from './file-certificate.ts';

type Settings = SettingValues<typeof brokerSettings>;

/** The service broker: answers platforms, and makes what they ask for. */
export const broker: Run<typeof brokerSettings> = async (given, { env, signal }) => {
  const { tlsCertFile, tlsKeyFile, plainHttp, leastSize, mostSize } = given;
  if ((tlsCertFile === '') !== (tlsKeyFile === '')) {
    throw new UsageError('--tls-cert-file and --tls-key-file are given together, or neither');
  }
  if ((tlsCertFile === '') !== plainHttp) {
    throw new UsageError(
      'either --tls-cert-file and --tls-key-file, or --plain-http behind a proxy that ends TLS',
    );
  }
  if (leastSize > mostSize) {
    throw new UsageError('--least-size must not be above --most-size');
  }
  await serve(given, signal, faultPoints(env[faultDirectoryVariable]));
};

/** @throws when one of the addresses cannot be taken; all else is tried until it succeeds */
async function serve(
  given: Settings,
  asked: AbortSignal,
  points: FaultPoints | undefined,
): Promise<void> {
  const log = jsonLog('broker');
  const registry = new Registry();
  const metrics = brokerMetrics(registry);
  const client = openCluster(given.kubeconfig);
  const catalog = followCatalog(given, client, { log, metrics });
  const credentials = followCredentials(given.credentialsFile, { log, metrics });
  const tls = certificateRelay();
  const namespaces = namespaceRules(given);
  const service = serveInstances({
    store: instanceStore(client.api),
    surroundings: () => ({
      catalog: catalog.current() ?? { services: [] },
      checkParameters: checkJson,
      namespaces,
      at: new Date().toISOString(),
      operationId: randomUUID(),
    }),
  });
  const app = brokerApp({
    ...{ service, log, metrics },
    catalog: catalog.current,
    credentials: credentials.current,
  });
  const work = brokerWork({
    ...{ client, log, registry, points },
    namespace: given.namespace,
    rules: {
      image: given.placeholderImage,
      priorityClass: given.placeholderPriorityClass,
      scheduler: given.placeholderScheduler,
    },
  });
  let isListening = false;
  const notReady = (): readonly string[] => [
    ...(catalog.current() === undefined ? ['no catalog yet'] : []),
    ...(credentials.current() === undefined ? ['no credentials yet'] : []),
    ...work.notReady(),
    ...(isListening ? [] : ['not listening yet']),
    ...(asked.aborted ? ['it is ending'] : []),
  ];

  const ending = endAfterDrain(asked, given.drain);
  const { signal } = ending;
  const running = [catalog.run(signal), credentials.run(signal), work.run(signal)];
  if (!given.plainHttp) {
    running.push(fileCertificate(given, { log, metrics: registry, show: tls.show }).run(signal));
  }
  try {
    const { opsAddress, opsPort, listenAddress: address, port } = given;
    const ops = await listen(opsApp(notReady, registry), {
      ...{ address: opsAddress, port: opsPort, signal },
    });
    log.info('broker started', { opsPort: ops.port });
    const first = given.plainHttp ? undefined : await tls.first(signal);
    if (!signal.aborted) {
      const listening = await listen(app, { address, port, signal, ...(first && { tls: first }) });
      tls.follow(listening);
      isListening = true;
      log.info('broker listens', { address, port: listening.port, tls: !given.plainHttp });
      await listening.closed;
    }
    await ops.closed;
  } finally {
    ending.abort();
    await Promise.all(running);
  }
}

/** Nobody's volumes belong where the system itself runs. */
function namespaceRules({
  namespace,
  instanceNamespace,
  allowedNamespaces: allowed,
}: Settings): NamespaceRules {
  return {
    ...(instanceNamespace !== '' && { usual: instanceNamespace }),
    allowed,
    closed: ['kube-system', 'kube-public', 'kube-node-lease', namespace],
  };
}
