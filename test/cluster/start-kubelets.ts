import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { isExecutable } from './binaries.ts';
import type { Cluster } from './cluster.ts';
import { busyboxImage } from './image.ts';
import { shareFolder } from './node-namespace.ts';
import { RealNode } from './real-node.ts';
import { NODES_PER_SLOT, claimSlot } from './slots.ts';

export interface KubeletOptions {
  labels?: Readonly<Record<string, string>>;
  /** Absolute paths that each node has a folder of its own at, e.g. that of an agent which runs as a pod. */
  folders?: readonly string[];
}

/** Nodes of one cluster with real kubelets, all Ready on return. */
export async function startKubelets(
  cluster: Cluster,
  names: readonly string[],
  { first, labels = {}, folders = [] }: KubeletOptions & { first: number },
): Promise<RealNode[]> {
  checkMachine(cluster, first + names.length);
  const slot = claimSlot(cluster.dir);
  await shareFolder(cluster.dir);
  const image = join(cluster.dir, 'busybox.tar');
  if (first === 0) await busyboxImage(image);
  for (const name of names) mkdirSync(join(cluster.dir, 'nodes', name), { recursive: true });
  const places = names.map((name, offset) => ({
    ...{ name, slot, image, labels, folders },
    index: first + offset,
  }));
  const nodes = await Promise.all(places.map((place) => RealNode.create(cluster, place)));
  await Promise.all(nodes.map((node) => node.start()));
  return nodes;
}

function checkMachine(cluster: Cluster, count: number): void {
  if (process.getuid?.() !== 0) {
    throw new Error(
      'real kubelets mount, and make cgroups and network namespaces: run this as root',
    );
  }
  if (count > NODES_PER_SLOT) {
    throw new RangeError(`${count} kubelets wanted, one cluster has room for ${NODES_PER_SLOT}`);
  }
  if (!isExecutable(cluster.binaries.kubelet)) {
    throw new Error(`${cluster.binaries.kubelet} is missing or not executable`);
  }
}
