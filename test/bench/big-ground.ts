import type { Cluster } from '../cluster/cluster.ts';
import { forEachParallel } from '../cluster/parallel.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { labelValue } from '../../src/model/label-value.ts';
import { Installation, type ControlRole } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import { storageClass, storagePool } from '../support/objects.ts';
import type { Ground } from './stage.ts';

const bigNodeCount = 5_000;
export const poolName = 'nvme';

const GiB = 1024 ** 3;
const leases = '/apis/coordination.k8s.io/v1/namespaces/berth-system/leases';

/** A control plane with thousands of nodes that only say what an agent would say, and control. */
export interface BigGround extends Ground {
  readonly cluster: Cluster;
  readonly kube: Kube;
  readonly control: ControlRole;
  readonly nodes: readonly string[];
}

export async function openBigGround(): Promise<BigGround> {
  const cluster = await startCluster({ nodeMonitorGraceSeconds: 3600, controllerManagerQps: 200 });
  try {
    const berth = await Installation.on(cluster);
    const kube = new Kube(cluster);
    await kube.create(storagePool(poolName, '1Ti'));
    await kube.create(storageClass(poolName, { pool: poolName }));
    const nodes = Array.from({ length: bigNodeCount }, (_, index) => nodeName(index));
    await cluster.addHollowNodes(nodes, { labels, annotations });
    await forEachParallel(nodes, 32, (node) =>
      cluster.api.request('POST', leases, { body: leaseOf(node) }),
    );
    // Nobody renews the leases here.
    const control = await berth.startControl({ flags: ['--node-silent-after', '24h'] });
    return { cluster, kube, control, nodes, close: () => cluster.stop() };
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

/** A name as a cloud provider gives it, 45 characters long. */
function nodeName(index: number): string {
  const address = `10-0-${100 + Math.floor(index / 250)}-${index % 250}`;
  return `ip-${address}.eu-central-1.compute.internal`;
}

function labels(name: string): Record<string, string> {
  return {
    'kubernetes.io/arch': 'amd64',
    'node.kubernetes.io/instance-type': 'i3en.2xlarge',
    'topology.kubernetes.io/region': 'eu-central-1',
    'topology.kubernetes.io/zone': `eu-central-1${'abc'[spread(name) % 3] ?? 'a'}`,
    [`pool.berth.dev/${poolName}`]: 'loop',
  };
}

/** Rooms differ; three nodes in ten have less than the claim of the measured pod asks for. */
function annotations(name: string): Record<string, string> {
  const free = (spread(name) % 10 < 3 ? 1 : 10 + (spread(name) % 500)) * GiB;
  const report = { total: 1024 * GiB, free, largest: free, generation: 7, healthy: true };
  return { [`capacity.berth.dev/${poolName}`]: JSON.stringify(report) };
}

/** A number that belongs to a name and looks random. */
function spread(name: string): number {
  let hash = 0;
  for (const character of name) {
    hash = (Math.imul(hash, 31) + character.charCodeAt(0)) >>> 0;
  }
  return hash;
}

function leaseOf(node: string): object {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name: `berth-node-${labelValue(node)}`,
      namespace: 'berth-system',
      labels: { 'berth.dev/node': labelValue(node) },
    },
    spec: {
      holderIdentity: node,
      leaseDurationSeconds: 120,
      renewTime: new Date().toISOString().replace('Z', '000Z'),
    },
  };
}
