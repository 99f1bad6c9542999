import type { Cluster } from '../cluster/cluster.ts';
import { forEachParallel } from '../cluster/parallel.ts';
import type { Program } from '../cluster/program.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { openCluster } from '../../src/kube/client.ts';
import { Installation, type ControlRole, type Role } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import { storageClass, storagePool } from '../support/objects.ts';
import { Watched } from './watched.ts';
import type { Ground } from './stage.ts';

/** More that start at the same time only wait for each other. */
const agentsAtOnce = 8;
export const poolName = 'bench';
export const volumeSize = '1Mi';
/** Serves the pods that the scheduler places. */
export const schedulerName = 'berth-scheduler';
/** Nobody serves this one: such pods wait for the bench itself. */
export const nobody = 'bench';

/** A control plane with real agents on hollow nodes, control, and a scheduler that asks it. */
export interface SmallGround extends Ground {
  readonly cluster: Cluster;
  readonly berth: Installation;
  readonly kube: Kube;
  readonly control: ControlRole;
  readonly scheduler: Program;
  readonly nodes: readonly string[];
  readonly agents: readonly Role[];
  readonly watched: Watched;
}

export async function openSmallGround(agentCount = 10): Promise<SmallGround> {
  // The usual 20 requests per second of kube-controller-manager would be measured in place of us.
  const cluster = await startCluster({ nodeMonitorGraceSeconds: 3600, controllerManagerQps: 500 });
  try {
    return await equip(cluster, agentCount);
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

async function equip(cluster: Cluster, agentCount: number): Promise<SmallGround> {
  const berth = await Installation.on(cluster);
  const kube = new Kube(cluster);
  const nodes = Array.from({ length: agentCount }, (_, index) => `node-${index}`);
  await cluster.addHollowNodes(nodes);
  const control = await berth.startControl();
  const scheduler = await berth.startScheduler(control);
  const agents: Role[] = [];
  await forEachParallel(nodes, agentsAtOnce, async (node) => {
    agents.push(await berth.startHollowAgent(node));
  });
  await kube.create(storagePool(poolName, '2Gi'));
  await kube.create(storageClass(poolName, { pool: poolName }));
  await berth.poolsReported(poolName, nodes);
  const watched = new Watched(openCluster(cluster.kubeconfig));
  await watched.ready();
  const close = async (): Promise<void> => {
    watched.stop();
    await cluster.stop();
  };
  return { cluster, berth, kube, control, scheduler, nodes, agents, watched, close };
}
