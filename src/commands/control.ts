import type { controlSettings } from '../config/control-settings.ts';
import { capacityPage } from '../http/capacity.ts';
import { controlMetrics } from '../http/control-metrics.ts';
import { extenderApp } from '../http/extender.ts';
import { listen } from '../http/listen.ts';
import { opsApp } from '../http/ops.ts';
import { openCluster } from '../kube/client.ts';
import { readServerVersion } from '../kube/server-version.ts';
import type { Pod } from '../model/pod.ts';
import { faultPoints } from '../platform/fault-points.ts';
import { jsonLog } from '../platform/log.ts';
import { bindPod } from '../usecases/bind-pod.ts';
import { explainWait } from '../usecases/explain-wait.ts';
import { filterNodes, judgeNodes, type FilterAnswer } from '../usecases/filter-nodes.ts';
import { preemptNodes } from '../usecases/preempt-nodes.ts';
import { prioritizeNodes } from '../usecases/prioritize-nodes.ts';
import { showCapacity } from '../usecases/show-capacity.ts';
import { UsageError, type Run } from './command.ts';
import { runLoops } from './control-loops.ts';
import { controlParts, type ControlParts } from './control-parts.ts';
import { faultDirectoryVariable } from './fault-steps.ts';

/** The scheduler extender, the reconcile loops, and what people see of capacity. */
export const control: Run<typeof controlSettings> = async (config, { env, signal }) => {
  if (config.abandonedAfter < 2 * config.readyTimeout) {
    throw new UsageError(
      `--abandoned-after is ${config.abandonedAfter}ms: at least twice --ready-timeout (${config.readyTimeout}ms) is allowed, or binds under way would be undone`,
    );
  }
  const log = jsonLog('control');
  const client = openCluster(config.kubeconfig);
  const points = faultPoints(env[faultDirectoryVariable]);
  const parts = controlParts(client, config, log, points);
  const version = readServerVersion(client.api, log, signal);
  const notReady = (): readonly string[] => [
    ...parts.state.notSynced(),
    ...(version.known() ? [] : ['server version']),
  ];
  const metrics = controlMetrics({
    waitingPods: () => [...parts.pods.pending()].filter(isWaiting).length,
    volumes: () => parts.state.localVolumes.size,
  });
  const ports = { ...parts, nextChange: parts.changes.next };
  const verbs = extenderApp({
    filter: filterNodes(ports),
    prioritize: prioritizeNodes(parts),
    preempt: preemptNodes(parts),
    bind: bindPod({ ...parts, lookup: parts.liveLookup }),
    notReady,
    knowsUnresolvable: () => version.atLeast(21),
    filtered: (pod, answer) => {
      metrics.rejected(answer.rejections.values());
      tellWhy(pod, answer, parts);
    },
    observed: (verb, outcome, seconds) => metrics.verb(verb, outcome, seconds),
    log,
  });
  const capacity = { ...parts, judge: judgeNodes(ports) };
  const ops = opsApp(notReady, metrics.registry, {
    '/capacity': capacityPage(() => showCapacity(capacity), notReady),
  });
  const verbServer = await listen(verbs, {
    address: config.listenAddress,
    port: config.port,
    signal,
  });
  const opsServer = await listen(ops, {
    address: config.opsAddress,
    port: config.opsPort,
    signal,
  });
  log.info('serving', { verbs: verbServer.port, ops: opsServer.port });
  await Promise.all([
    parts.state.run(signal),
    runLoops(parts, config, metrics, signal),
    verbServer.closed,
    opsServer.closed,
  ]);
};

/** A pod that may wait for a volume. */
function isWaiting({ nodeName, claims }: Pod): boolean {
  return nodeName === '' && claims.length > 0;
}

/** Tells the owner of a pod that found no node what it needs and what the nearest nodes have. */
function tellWhy(pod: Pod, answer: FilterAnswer, { events }: ControlParts): void {
  if (answer.feasible.length > 0) {
    return;
  }
  const { namespace, name, uid } = pod;
  const about = { apiVersion: 'v1', kind: 'Pod', namespace, name, uid };
  events.warning(about, 'BerthNoRoom', explainWait(answer));
}
