import { formatBytes } from '../model/bytes.ts';
import type { KubeApi } from '../kube/api.ts';
import type { StorageNodeObject } from '../kube/custom-objects.ts';
import { readLive } from '../kube/live.ts';
import { resourcePath } from '../kube/paths.ts';
import { toOrphanStanding } from '../kube/storage-nodes.ts';
import { sleep } from '../platform/sleep.ts';
import type { OrphanStanding } from '../usecases/node-ports.ts';
import { RefusedError } from './command.ts';

export interface OrphanName {
  readonly node: string;
  readonly pool: string;
  readonly name: string;
}

export function storageNode(api: KubeApi, name: string): Promise<StorageNodeObject | undefined> {
  return readLive<StorageNodeObject>(api, resourcePath('storagenodes', { name }));
}

/** @throws RefusedError where the node does not list it now */
export async function findOrphan(
  api: KubeApi,
  { node, pool, name }: OrphanName,
): Promise<OrphanStanding> {
  const object = await storageNode(api, node);
  const orphans = object?.status?.orphans ?? [];
  const found = orphans.find((one) => one.pool === pool && one.name === name);
  if (found === undefined) {
    const others = orphans.map((one) => `${one.pool}/${one.name} (${size(one.bytes)})`);
    const said = others.length > 0 ? `its orphans are ${others.join(', ')}` : 'it has none';
    throw new RefusedError(
      object === undefined
        ? `there is no StorageNode ${node}: no agent has ever reported from there`
        : `node ${node} lists no orphan ${name} in pool ${pool}: ${said}`,
    );
  }
  return toOrphanStanding(found);
}

function size(n: number): string {
  return formatBytes(n as OrphanStanding['bytes']);
}

const lookAgainMs = 300;

/**
 * Looks until there is an answer.
 * @returns it, or nothing when the time is over or the person has given up
 */
export async function awaitAnswer<T>(
  look: () => Promise<T | undefined>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<T | undefined> {
  const endsAt = performance.now() + timeoutMs;
  for (;;) {
    const answer = await look();
    if (answer !== undefined || signal.aborted || performance.now() > endsAt) {
      return answer;
    }
    await sleep(lookAgainMs, signal);
  }
}
