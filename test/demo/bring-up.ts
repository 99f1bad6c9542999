import type { Cluster } from '../cluster/cluster.ts';
import { defaultSchedulerConfig } from '../cluster/scheduler.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { type ControlRole, Installation, nodeFolders, type Role } from '../support/installation.ts';
import { poolLabels } from './objects.ts';
import { say } from './progress.ts';

export const clusterName = 'demo';
export const nodeNames = ['node-1', 'node-2', 'node-3'];

/** A cluster with Berth installed. */
export interface Scene {
  readonly cluster: Cluster;
  readonly berth: Installation;
  readonly control: ControlRole;
  readonly agents: readonly Role[];
  readonly webhook: Role;
}

/** Brings up everything; what a failure has left ends with the cluster, which `opened` has heard of. */
export async function bringUp(opened: (cluster: Cluster) => void): Promise<Scene> {
  say('starting etcd, kube-apiserver and kube-controller-manager');
  const cluster = await startCluster({ name: clusterName });
  opened(cluster);
  say(`Kubernetes ${cluster.version.text} answers at ${cluster.server}`);
  const [agents, rest] = await Promise.all([startNodes(cluster), startBerth(cluster)]);
  const { berth, control, webhook } = rest;
  const running = await Promise.all(agents.map((node) => berth.startAgent(node)));
  say(`an agent runs on each of ${nodeNames.join(', ')}`);
  return { cluster, berth, control, agents: running, webhook };
}

async function startNodes(cluster: Cluster) {
  const options = { folders: nodeFolders, labels: poolLabels };
  const nodes = await cluster.startKubelets(nodeNames, options);
  say(`three nodes are Ready, each with a kubelet and a containerd of its own`);
  return nodes;
}

async function startBerth(cluster: Cluster) {
  const config = defaultSchedulerConfig(cluster.version);
  await cluster.startScheduler({ name: 'default', config, format: 'component' });
  const berth = await Installation.on(cluster);
  say("Berth's resources and roles are applied");
  const control = await berth.startControl();
  await berth.startScheduler(control);
  say('berth control is ready, and beside it a kube-scheduler that asks it');
  const webhook = await berth.startWebhook();
  say('berth webhook is ready and trusted by the API server');
  return { berth, control, webhook };
}
