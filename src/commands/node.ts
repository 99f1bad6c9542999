import { backends } from '../backends/index.ts';
import type { nodeSettings } from '../config/node-settings.ts';
import { listen } from '../http/listen.ts';
import { opsApp } from '../http/ops.ts';
import { openCluster } from '../kube/client.ts';
import { describeError } from '../model/errors.ts';
import { faultPoints } from '../platform/fault-points.ts';
import { jsonLog } from '../platform/log.ts';
import { readMachineId } from '../platform/machine-id.ts';
import { programVersion } from '../platform/program-version.ts';
import { runCommand } from '../platform/run-command.ts';
import { sleep } from '../platform/sleep.ts';
import { Controller } from '../usecases/controller.ts';
import { NodeDevices } from '../usecases/node-devices.ts';
import { healthyPools } from '../usecases/healthy-pools.ts';
import { NodeReporter } from '../usecases/node-reporter.ts';
import type { NodeStanding } from '../usecases/node-ports.ts';
import { rowPerKey } from '../usecases/one-at-a-time.ts';
import type { Log } from '../usecases/ports.ts';
import { volumeReconciler } from '../usecases/reconcile-volume.ts';
import type { Run } from './command.ts';
import { faultDirectoryVariable } from './fault-steps.ts';
import { tellReplaced } from './machine.ts';
import { discoveryLoop } from './node-discovery.ts';
import { listenToCluster } from './node-changes.ts';
import { watchDisks } from './node-disks.ts';
import { keepIoLimits } from './node-io-limits.ts';
import { healthLoop } from './node-health.ts';
import { orphanLoop } from './node-orphans.ts';
import { nodeParts, type NodeConfig, type NodeParts } from './node-parts.ts';

/** The agent of one node: makes and removes its volumes, and reports what is free. */
export const node: Run<typeof nodeSettings> = async (config, { env, signal }) => {
  const log = jsonLog('node');
  // First of all: kubelet may be following these links at this moment.
  for (const backend of Object.values(backends)) {
    await backend.dropStaleLinks(config.runDir, runCommand);
  }
  const client = openCluster(config.kubeconfig);
  const points = faultPoints(env[faultDirectoryVariable]);
  const parts = nodeParts(client, config, log, { points });
  const agent = await assemble(parts, config, log, signal);
  const ops = opsApp(agent.notReady, parts.metrics);
  const { listenAddress: address, port } = config;
  const server = await listen(ops, { address, port, signal });
  log.info('serving', { node: config.nodeName, ops: server.port });
  await Promise.all([
    ...Object.values(parts.memory).map((reflector) => reflector.run(signal)),
    agent.run(signal),
    keepIoLimits(parts, config, log, signal),
    watchDisks(parts, { log, changed: agent.lookAgain }, signal),
    server.closed,
  ]);
};

interface Agent {
  readonly notReady: () => readonly string[];
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** Something on the node has changed that a report may have to tell. */
  readonly lookAgain: () => void;
}

const volumeWorkers = 8;
const syncLookMs = 20;
const retryLeaseMs = 2_000;
const reportKey = 'node';

/** Puts the loops of the agent together over its parts. */
export async function assemble(
  parts: NodeParts,
  config: NodeConfig,
  log: Log,
  signal: AbortSignal,
): Promise<Agent> {
  const { volumes, board, machine, filesystems, encryption, events, meter } = parts;
  const { nodeName, reportDelay, leaseRenew } = config;
  const machineId = await readMachineId(config.machineIdFile, log);
  const standings = parts.standings({
    node: nodeName,
    machineId: () => machine.idToRecord,
    agentVersion: await programVersion(),
  });
  const onError =
    (event: string) =>
    (key: string, error: unknown, pauseMs: number | undefined): void =>
      log.warn(event, { key, error: describeError(error), pauseMs });

  let isReportDue = false;
  const reportSoon = (): void => {
    if (!isReportDue) {
      isReportDue = true;
      void sleep(reportDelay, signal).then(() => {
        isReportDue = false;
        reporting.enqueue(reportKey);
      });
    }
  };
  const health = healthLoop(parts, { config, log, changed: reportSoon });
  const pools = healthyPools(parts.pools, health.pool);
  const rowOf = rowPerKey();
  const orphans = orphanLoop(parts, {
    ...{ node: nodeName, log, rowOf, changed: reportSoon },
    onError: onError('an orphan is not gone'),
  });
  const discovery = discoveryLoop(parts, config, log);
  const reporter = new NodeReporter({
    node: nodeName,
    board,
    standings: health.withHealth(standings),
    volumes,
    pools,
    devices: new NodeDevices({
      ...{ events, log, about: orphans.about },
      disks: { list: parts.disks.known },
    }),
    events,
    meter,
    now: Date.now,
    reportSoon,
    lookAt: (volume) => making.enqueue(volume),
    about: orphans.about,
    onOrphans: orphans.see,
  });
  const reporting = new Controller({
    reconcile: async (_key, at) => {
      parts.refreshPools();
      await reporter.report(at);
      return undefined;
    },
    onError: onError('the report failed'),
    sleep,
  });

  /** Volumes that were there when the agent started and have not been looked at yet. */
  let unsettled: Set<string> | undefined;
  const making = new Controller({
    reconcile: volumeReconciler({
      node: nodeName,
      volumes,
      pools,
      reports: reporter,
      ...{ machine, filesystems, encryption, events, log, meter },
      now: Date.now,
      rowOf,
      onSettled: (name) => unsettled?.delete(name),
    }),
    onError: onError('a volume is not as it should be'),
    sleep,
    workers: volumeWorkers,
  });

  async function beat(at: AbortSignal): Promise<void> {
    while (!at.aborted) {
      let pauseMs = leaseRenew;
      try {
        await parts.lease.renew(Date.now());
      } catch (error) {
        pauseMs = Math.min(retryLeaseMs, leaseRenew);
        log.warn('the lease was not renewed', { error: describeError(error), pauseMs });
      }
      reporter.changed();
      await sleep(pauseMs, at);
    }
  }

  async function resume(at: AbortSignal): Promise<Partial<NodeStanding>> {
    while (parts.notSynced().length > 0 && !at.aborted) {
      await sleep(syncLookMs, at);
    }
    while (!at.aborted) {
      try {
        const before = await standings.read();
        tellReplaced(machine.compare(machineId, before.machineId), nodeName, { events, log });
        reporter.resume(before, board.shown());
        return before;
      } catch (error) {
        log.warn('the StorageNode cannot be read', { error: describeError(error) });
        await sleep(retryLeaseMs, at);
      }
    }
    return {};
  }

  return {
    notReady: () => [
      ...parts.notSynced(),
      ...(unsettled === undefined ? ['volumes not looked at'] : []),
      ...(unsettled?.size ? [`${unsettled.size} volumes not attached`] : []),
    ],
    run: async (at) => {
      await filesystems.unmountLeft();
      const before = await resume(at);
      parts.refreshPools();
      await health.begin(before);
      unsettled = new Set(volumes.list().map(({ name }) => name));
      unsettled.forEach((name) => making.enqueue(name));
      listenToCluster(parts, {
        changed: () => reporter.changed(),
        lookAt: (volume) => making.enqueue(volume),
      });
      await Promise.all([
        ...[making, reporting, orphans, health, discovery].map((loop) => loop.run(at)),
        beat(at),
      ]);
    },
    lookAgain: reportSoon,
  };
}
