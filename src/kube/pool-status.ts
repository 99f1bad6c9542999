import { isDeepStrictEqual } from 'node:util';
import type { Now } from '../usecases/ports.ts';
import { rollUpPool, type PoolOnNode, type PoolSummary } from '../usecases/roll-up-pool.ts';
import type { KubeApi } from './api.ts';
import type { ClusterState } from './cluster-state.ts';
import type { Condition, StoragePoolObject } from './custom-objects.ts';
import { resourcePath } from './paths.ts';

export interface PoolStatusPorts {
  readonly api: KubeApi;
  readonly state: ClusterState;
  readonly now: Now;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Several volumes of a burst become one write. */
const settleMs = 1_000;

/** Keeps the status of a StoragePool at the sum of what its nodes say; writes only on a change. */
export function writePoolStatus({ api, state, now, sleep }: PoolStatusPorts) {
  return async (name: string, signal: AbortSignal): Promise<undefined> => {
    await sleep(settleMs, signal);
    const pool = state.pools.get(name);
    if (!pool || signal.aborted) {
      return;
    }
    const summary = rollUpPool(poolOnNodes(name, state));
    const status = toStatus(summary, pool, now());
    if (!isDeepStrictEqual(status, pool.status)) {
      await api.patch(resourcePath('storagepools', { name, subresource: 'status' }), 'merge', {
        status,
      });
    }
  };
}

function poolOnNodes(name: string, state: ClusterState): readonly PoolOnNode[] {
  return [...state.storageNodes.list()].flatMap(({ metadata, status = {} }) =>
    (status.pools ?? [])
      .filter((pool) => pool.name === name)
      .map((pool) => ({ ...pool, node: metadata.name, message: pool.message })),
  );
}

function toStatus(
  { nodes, total, free, volumes, ready, reason, message }: PoolSummary,
  pool: StoragePoolObject,
  now: number,
): NonNullable<StoragePoolObject['status']> {
  const status = ready ? 'True' : 'False';
  const before = pool.status?.conditions?.find((one) => one.type === 'Ready');
  const lastTransitionTime =
    before?.status === status ? before.lastTransitionTime : new Date(now).toISOString();
  const condition: Condition = {
    type: 'Ready',
    status,
    reason,
    message,
    lastTransitionTime,
    observedGeneration: pool.metadata.generation ?? 0,
  };
  return { nodes, total, free, volumes, conditions: [condition] };
}
