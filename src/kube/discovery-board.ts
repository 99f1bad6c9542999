import { isDeepStrictEqual } from 'node:util';
import { bytes } from '../model/bytes.ts';
import type { DiscoveredPool } from '../model/discovery.ts';
import { apiVersion } from '../model/names.ts';
import type { DiscoveryBoard } from '../usecases/discovery-ports.ts';
import { isConflict, isNotFound, type KubeApi } from './api.ts';
import type { DiscoveredPoolObject, StorageNodeObject } from './custom-objects.ts';
import { readLive } from './live.ts';
import { resourcePath } from './paths.ts';
import type { Reflector } from './reflector.ts';

/** The part of this node's StorageNode that speaks of discovery. */
export function discoveryBoard(
  api: KubeApi,
  memory: Reflector<StorageNodeObject>,
  node: string,
): DiscoveryBoard {
  const path = resourcePath('storagenodes', { name: node });
  const statusPath = resourcePath('storagenodes', { name: node, subresource: 'status' });
  let written = '[]';

  async function write(pools: readonly DiscoveredPool[]): Promise<void> {
    const text = JSON.stringify(pools);
    if (text === written) {
      return;
    }
    // Whether a write that fails has come through is not known.
    written = '';
    const status = { discovered: JSON.parse(text) as unknown };
    try {
      await api.patch(statusPath, 'merge', { status });
    } catch (error) {
      if (!isNotFound(error)) {
        throw error;
      }
      await create(api, node);
      await api.patch(statusPath, 'merge', { status });
    }
    written = text;
  }

  return {
    requests: () => memory.get(node)?.spec?.clean ?? [],
    isAsked: async (request) => {
      const object = await readLive<StorageNodeObject>(api, path);
      return object?.spec?.clean?.some((one) => isDeepStrictEqual(one, request)) === true;
    },
    read: async () => {
      const object = await readLive<StorageNodeObject>(api, path);
      const pools = toDiscovered(object?.status?.discovered);
      written = JSON.stringify(pools);
      return pools;
    },
    write,
  };
}

async function create(api: KubeApi, name: string): Promise<void> {
  try {
    const object = { apiVersion, kind: 'StorageNode', metadata: { name } };
    await api.create(resourcePath('storagenodes'), object);
  } catch (error) {
    if (!isConflict(error)) {
      throw error;
    }
  }
}

/** What an agent told, as it stands in JSON. */
export function toDiscovered(pools: readonly DiscoveredPoolObject[] = []): DiscoveredPool[] {
  return pools.map((pool) => ({
    ...pool,
    entries: pool.entries.map((entry) => ({ ...entry, bytes: bytes(entry.bytes) })),
  }));
}
