import { poolNameLabel } from '../model/names.ts';
import type { NodeReader } from '../usecases/cluster.ts';
import type { PoolOnNode } from '../usecases/roll-up-pool.ts';
import type { KubeApi } from './api.ts';
import { discoveryFacts, type FactsState, type ReadDiscovery } from './discovery-facts.ts';
import type { PersistentVolume } from './objects.ts';
import { resourcePath } from './paths.ts';

export type { ReadDiscovery };

export interface DiscoveryStatusPorts {
  readonly state: FactsState;
  readonly nodes: NodeReader;
  readonly readDiscovery: ReadDiscovery;
}

/** A pool of the backend `discovery` as its nodes have it. What nobody has claimed is free. */
export function discoveredOnNodes(
  name: string,
  { state, nodes, readDiscovery }: DiscoveryStatusPorts,
): readonly PoolOnNode[] {
  return [...state.storageNodes.list()].flatMap(({ metadata, status }) => {
    const found = status?.discovered?.find(({ pool }) => pool === name);
    if (found === undefined) {
      return [];
    }
    const node = metadata.name;
    const facts = discoveryFacts(node, state, readDiscovery);
    const problem = facts.pools.find((pool) => pool.name === name)?.problem;
    const usable = found.entries.filter(({ state: is }) => is !== 'refused');
    const free = facts.volumes.filter(
      ({ pool, claim, deleting }) => pool === name && claim === undefined && !deleting,
    );
    const sum = (all: readonly { readonly bytes: number }[]): number =>
      all.reduce((total, each) => total + each.bytes, 0);
    return [
      {
        node,
        alive: nodes.node(node)?.alive ?? false,
        healthy: found.healthy && problem === undefined,
        message: problem ?? found.message,
        total: sum(usable),
        free: sum(free),
        largest: Math.max(0, ...free.map(({ bytes }) => bytes)),
        volumes: usable.length,
      },
    ];
  });
}

/** Read live: without its pool no agent would clean what a PersistentVolume stands for. */
export async function isUsedByMedia(pool: string, api: KubeApi): Promise<boolean> {
  const labelSelector = `${poolNameLabel}=${pool}`;
  const path = resourcePath('persistentvolumes');
  const { items } = await api.get<{ items: PersistentVolume[] }>(path, { labelSelector });
  return items.length > 0;
}
