import { existsSync } from 'node:fs';
import { basename, delimiter, dirname } from 'node:path';

import type { Cluster } from '../cluster/cluster.ts';
import { clusterDir } from '../cluster/paths.ts';
import { ownedProcesses } from '../cluster/processes.ts';
import { tearDown } from '../cluster/tear-down.ts';
import { Kube } from '../support/kube.ts';
import { claim, pod } from '../support/objects.ts';
import { bringUp, clusterName, nodeNames, type Scene } from './bring-up.ts';
import {
  className,
  claimSize,
  essence,
  examples,
  largePod,
  podNames,
  poolName,
  poolSize,
  tooLarge,
} from './objects.ts';
import { heading, indented, say } from './progress.ts';
import { showCapacity, showPlacement } from './show.ts';

/**
 * Shows the whole of Berth on this machine: three nodes, every role, a StatefulSet, and a claim that
 * has to wait. Ends with Ctrl-C, or by itself with DEMO_ONCE=1.
 */
async function demo(opened: (cluster: Cluster) => void): Promise<void> {
  const scene = await bringUp(opened);
  const { berth, cluster, control } = scene;
  const shown = examples();
  const apply = async (objects: readonly object[]): Promise<void> => {
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
    await cluster.kubectl(['apply', '-f', '-'], { input });
  };

  await apply([shown.pool, ...shown.classes]);
  await berth.poolsReported(poolName, nodeNames);
  say(`each node reports pool ${poolName} with ${poolSize}`);
  const before = await berth.capacity(control);
  await apply(shown.app);
  say(`applied a StatefulSet of ${podNames.length} with ${claimSize} for each pod`);
  const kube = new Kube(cluster);
  for (const name of podNames) {
    await kube.running(name);
    say(`${name} runs on ${(await kube.nodeNameOf(name)) ?? '?'}`);
  }

  heading('What was applied (the parts that matter; see manifests/examples)');
  indented(essence(shown));
  heading('Where the volumes are');
  await showPlacement(scene);
  heading('What the pools can give');
  showCapacity(before, await berth.capacity(control));
  heading(`A claim of ${tooLarge}, which no node can hold`);
  await showRefusal(scene);
  showAddresses(scene);
}

/** The events that tell the owner of a pod why it waits: the scheduler's, and Berth's with figures. */
async function showRefusal({ cluster }: Scene): Promise<void> {
  const kube = new Kube(cluster);
  await kube.create(claim(largePod, className, tooLarge));
  await kube.create(pod(largePod, { claims: [largePod] }));
  for (const reason of ['FailedScheduling', 'BerthNoRoom']) {
    indented(`${reason}: ${await kube.event(largePod, reason)}`);
  }
}

function showAddresses({ cluster, control, webhook, agents }: Scene): void {
  const kubectl = asTyped(cluster.binaries.kubectl);
  heading('Look around');
  const metrics = [
    `${control.ops}/metrics   berth control`,
    `${webhook.ops}/metrics   berth webhook`,
    ...agents.map(({ ops }, i) => `${ops}/metrics   berth node of ${nodeNames[i]}`),
  ];
  indented(
    [
      `capacity   ${control.ops}/capacity`,
      `metrics    ${metrics.join('\n           ')}`,
      `logs       ${cluster.dir}/logs`,
      '',
      `export KUBECONFIG=${cluster.kubeconfig}`,
      `${kubectl} get storagepools,storagenodes,localvolumes`,
      `${kubectl} describe pod ${largePod}`,
      `${kubectl} delete pod ${podNames[1]}   # comes back on the same node, to the same data`,
    ].join('\n'),
  );
  console.log();
}

/** A program as one would type it: by its name where the shell finds it. */
function asTyped(file: string): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.includes(dirname(file)) ? basename(file) : file;
}

/** Refuses while another demo runs; clears away what one that was killed with its guard has left. */
async function makeWay(): Promise<void> {
  const dir = clusterDir(clusterName);
  if (ownedProcesses(dir).length > 0) {
    throw new Error(
      `a demo is up already, in ${dir}: end it with Ctrl-C where it runs, or with: make cluster-down NAME=${clusterName}`,
    );
  }
  await tearDown(dir);
}

/**
 * Waits until somebody presses Ctrl-C: then the harness stops the cluster and ends this process, as
 * interrupted. Here that is the regular end.
 */
function untilInterrupted(): Promise<never> {
  process.on('exit', () => {
    process.exitCode = 0;
  });
  return new Promise(() => setInterval(() => undefined, 3_600_000));
}

const isOnce = process.env['DEMO_ONCE'] === '1';
let cluster: Cluster | undefined;
try {
  await makeWay();
  await demo((started) => {
    cluster = started;
    process.on('exit', () => {
      if (!existsSync(started.dir)) console.log('everything is taken down, nothing is left');
    });
  });
  if (!isOnce) {
    say('all of it is up; Ctrl-C takes everything down');
    await untilInterrupted();
  }
  say('taking everything down');
  await cluster?.stop();
  process.exit(0);
} catch (error) {
  const isInterrupted = cluster?.scope.closing.aborted === true;
  const text = error instanceof Error ? error.message : String(error);
  console.error(isInterrupted ? 'interrupted while starting' : `\nThe demo failed: ${text}`);
  await cluster?.stop();
  process.exit(1);
}
