import { isDeepStrictEqual } from 'node:util';
import { labelValue } from '../model/label-value.ts';
import { nodeLabel } from '../model/names.ts';
import type { LiveOwners, PurgeRequests } from '../usecases/node-ports.ts';
import { orphanKey } from '../usecases/orphans.ts';
import { isConflict, isNotFound, type KubeApi } from './api.ts';
import type { LocalVolumeObject, PurgeEntry, StorageNodeObject } from './custom-objects.ts';
import { readLive } from './live.ts';
import { toLocalVolume } from './local-volumes.ts';
import { resourcePath } from './paths.ts';
import type { Reflector } from './reflector.ts';

/** What is asked of the agent in the spec of its StorageNode. */
export function purgeRequests(
  api: KubeApi,
  memory: Reflector<StorageNodeObject>,
  node: string,
): PurgeRequests {
  const list = (): readonly PurgeEntry[] => memory.get(node)?.spec?.purge ?? [];
  return {
    list,
    get: (key) => list().find((entry) => orphanKey(entry) === key),
    done: (request) =>
      changePurge(api, node, (entries) =>
        entries.filter((entry) => !isDeepStrictEqual(entry, request)),
      ),
  };
}

/** Changes the list as it is now; nothing where there is no StorageNode, or nothing to change. */
export async function changePurge(
  api: KubeApi,
  node: string,
  change: (entries: readonly PurgeEntry[]) => readonly PurgeEntry[],
): Promise<void> {
  const path = resourcePath('storagenodes', { name: node });
  for (;;) {
    const object = await readLive<StorageNodeObject>(api, path);
    const before = object?.spec?.purge ?? [];
    const purge = change(before);
    if (object === undefined || isDeepStrictEqual(purge, before)) {
      return;
    }
    try {
      const { uid, resourceVersion } = object.metadata;
      await api.patch(path, 'merge', { metadata: { uid, resourceVersion }, spec: { purge } });
      return;
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error)) {
        throw error;
      }
    }
  }
}

/** Asks the API server itself: by name on all nodes, and for adopters on this one, its only place. */
export function liveOwners(api: KubeApi, node: string): LiveOwners {
  return {
    find: async (identities) => {
      const uids = new Set(
        identities.map(({ volumeUid }) => volumeUid).filter((uid) => uid !== ''),
      );
      const labelSelector = `${nodeLabel}=${labelValue(node)}`;
      const [own, ...namesakes] = await Promise.all([
        api.get<{ items: LocalVolumeObject[] }>(resourcePath('localvolumes'), { labelSelector }),
        ...identities.map(({ name }) =>
          readLive<LocalVolumeObject>(api, resourcePath('localvolumes', { name })),
        ),
      ]);
      const owner =
        own.items.find(
          ({ metadata, spec }) =>
            uids.has(metadata.uid ?? '') || uids.has(spec.adopts?.volumeUid ?? ''),
        ) ??
        namesakes.find(
          (volume, n) =>
            volume !== undefined &&
            [volume.metadata.uid, ''].includes(identities[n]?.volumeUid ?? 'none'),
        );
      return owner && toLocalVolume(owner);
    },
  };
}
