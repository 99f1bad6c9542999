import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { loadAll } from 'js-yaml';

import { runCommand } from '../../src/platform/run-command.ts';
import { openCluster } from '../../src/kube/client.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { Installation, type Role } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import { loopDisks, type LoopDisks } from '../support/loop-disks.ts';
import type { Ground } from './stage.ts';
import { Watched } from './watched.ts';

/** LVM is measured in a guest: see lvm.ts. */
export const hostBackends = ['loop', 'partition', 'device', 'btrfs', 'directory'] as const;
export type HostBackend = (typeof hostBackends)[number];

/** One agent with a pool of each backend, named like it, and nobody else who asks for volumes. */
export interface BackendGround extends Ground {
  readonly cluster: Cluster;
  readonly berth: Installation;
  readonly node: string;
  readonly agent: Role;
  readonly watched: Watched;
  readonly disks: LoopDisks;
  /** The same folder as the agent's, seen from here. */
  folder(path: string): string;
}

const node = 'node-0';
/** One volume has a whole one: as many as are asked for at once, and one as large as all others. */
const smallDisks = 17;
const bigDisk = 640;

export async function openBackendGround(): Promise<BackendGround> {
  const cluster = await startCluster({ nodeMonitorGraceSeconds: 3600 });
  const disks = await loopDisks();
  const closeAll = async (): Promise<void> => {
    await cluster.stop();
    await disks.cleanUp();
  };
  try {
    return await equip(cluster, disks, closeAll);
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function equip(
  cluster: Cluster,
  disks: LoopDisks,
  closeAll: () => Promise<void>,
): Promise<BackendGround> {
  const berth = await Installation.on(cluster);
  await cluster.addHollowNodes([node]);
  const btrfs = await disks.add(1024);
  await runCommand('mkfs.btrfs', ['-q', btrfs]);
  const mounts = { '/run/berth-bench/btrfs': btrfs };
  const agent = await berth.startHollowAgent(node, { mounts, env: agentEnvironment() });
  const folder = (path: string): string => berth.hollowFolder(node, path);
  mkdirSync(join(folder('/var/lib/berth'), 'pools/directory'), { recursive: true });
  const kube = new Kube(cluster);
  for (const [backend, spec] of Object.entries(await specs(disks))) {
    await kube.create({
      ...{ apiVersion: 'berth.dev/v1alpha1', kind: 'StoragePool', metadata: { name: backend } },
      spec: { backend, ...spec },
    });
    await berth.poolsReported(backend, [node]);
  }
  const watched = new Watched(openCluster(cluster.kubeconfig));
  await watched.ready();
  const close = async (): Promise<void> => {
    watched.stop();
    await closeAll();
  };
  return { cluster, berth, node, agent, watched, disks, folder, close };
}

interface DaemonSet {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly { env: readonly { name: string; value?: string }[] }[];
      };
    };
  };
}

/** What the manifest tells every agent, but for the name of its node. */
function agentEnvironment(): Readonly<Record<string, string>> {
  const file = join(import.meta.dirname, '../../manifests/base/node/daemonset.yaml');
  const [{ spec }] = loadAll(readFileSync(file, 'utf8')) as [DaemonSet];
  const given = spec.template.spec.containers.flatMap(({ env }) => env);
  return Object.fromEntries(given.flatMap(({ name, value }) => (value ? [[name, value]] : [])));
}

async function specs(disks: LoopDisks): Promise<Readonly<Record<HostBackend, object>>> {
  const ofDevice = [await disks.add(bigDisk)];
  for (let count = 1; count < smallDisks; count += 1) {
    ofDevice.push(await disks.add(16));
  }
  return {
    loop: { loop: { directory: '/var/lib/berth/pools/loop', size: '4Gi' } },
    partition: { devices: { paths: [await disks.add(bigDisk)] } },
    device: { devices: { paths: ofDevice } },
    btrfs: { btrfs: { directory: '/run/berth-bench/btrfs', size: '512Mi' } },
    directory: {
      directory: {
        ...{ directory: '/var/lib/berth/pools/directory', size: '512Mi', enforcement: 'none' },
      },
    },
  };
}
