import { isDeepStrictEqual } from 'node:util';
import type { NodeReader } from '../usecases/cluster.ts';
import type { Now } from '../usecases/ports.ts';
import {
  rollUpPool,
  type PoolCondition,
  type PoolOnNode,
  type PoolSummary,
} from '../usecases/roll-up-pool.ts';
import { controlFinalizer } from '../model/names.ts';
import type { KubeApi } from './api.ts';
import type { ClusterState } from './cluster-state.ts';
import type {
  Condition,
  LocalVolumeObject,
  PoolNodeState,
  StoragePoolObject,
} from './custom-objects.ts';
import { discoveredOnNodes, isUsedByMedia, type ReadDiscovery } from './discovery-status.ts';
import { dropFinalizer } from './local-volumes.ts';
import { resourcePath } from './paths.ts';

export interface PoolStatusPorts {
  readonly api: KubeApi;
  readonly state: ClusterState;
  readonly nodes: NodeReader;
  readonly readDiscovery: ReadDiscovery;
  readonly now: Now;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** An agent that falls silent changes no object: it has to be looked for. In memory only. */
const lookAgainMs = 30_000;
/** Several volumes of a burst become one write. */
const settleMs = 1_000;

/**
 * Keeps the status of a StoragePool at the sum of what its nodes say, and the pool itself for as
 * long as it has volumes: without it no agent would know where they are. Writes only on a change.
 */
export function writePoolStatus(ports: PoolStatusPorts) {
  const { api, state, now, sleep } = ports;
  return async (name: string, signal: AbortSignal): Promise<number | undefined> => {
    await sleep(settleMs, signal);
    const pool = state.pools.get(name);
    if (!pool || signal.aborted || (await protect(pool, ports))) {
      return undefined;
    }
    const summary = rollUpPool([...poolOnNodes(name, ports), ...discoveredOnNodes(name, ports)]);
    const status = toStatus(summary, pool, now());
    if (!isDeepStrictEqual(status, pool.status)) {
      await api.patch(resourcePath('storagepools', { name, subresource: 'status' }), 'merge', {
        status,
      });
    }
    return lookAgainMs;
  };
}

/** @returns whether the pool has gone, or is going with this call */
async function protect(
  { metadata }: StoragePoolObject,
  { api }: PoolStatusPorts,
): Promise<boolean> {
  const { name, uid = '', resourceVersion, finalizers = [] } = metadata;
  const path = resourcePath('storagepools', { name });
  const isHeld = finalizers.includes(controlFinalizer);
  if (metadata.deletionTimestamp === undefined) {
    if (!isHeld) {
      const held = [...finalizers, controlFinalizer];
      await api.patch(path, 'merge', { metadata: { uid, resourceVersion, finalizers: held } });
    }
    return false;
  }
  // Read live: a bind of another replica may have made one that memory has not heard of.
  const { items } = await api.get<{ items: LocalVolumeObject[] }>(resourcePath('localvolumes'));
  const isUsed = items.some(({ spec }) => spec.pool === name) || (await isUsedByMedia(name, api));
  if (isHeld && !isUsed) {
    await dropFinalizer(api, path, uid, controlFinalizer);
  }
  return !isUsed;
}

function poolOnNodes(name: string, { state, nodes }: PoolStatusPorts): readonly PoolOnNode[] {
  return [...state.storageNodes.list()].flatMap(({ metadata, status = {} }) =>
    (status.pools ?? [])
      .filter((pool) => pool.name === name)
      .map((pool) => ({
        ...pool,
        node: metadata.name,
        alive: nodes.node(metadata.name)?.alive ?? false,
        message: pool.message,
      })),
  );
}

function toStatus(
  { conditions, nodeStates, ...sums }: PoolSummary,
  pool: StoragePoolObject,
  now: number,
): NonNullable<StoragePoolObject['status']> {
  return {
    ...sums,
    nodeStates: nodeStates as PoolNodeState[],
    conditions: conditions.map((condition) => toCondition(condition, pool, now)),
  };
}

function toCondition(
  { type, holds, reason, message }: PoolCondition,
  { metadata, status: shown }: StoragePoolObject,
  now: number,
): Condition {
  const status = holds ? 'True' : 'False';
  const before = shown?.conditions?.find((one) => one.type === type);
  const isGoing = type === 'Ready' && metadata.deletionTimestamp !== undefined;
  return {
    type,
    status,
    reason,
    message: isGoing ? `${message}; is deleted when its last volume is gone` : message,
    lastTransitionTime:
      before?.status === status ? before.lastTransitionTime : new Date(now).toISOString(),
    observedGeneration: metadata.generation ?? 0,
  };
}
