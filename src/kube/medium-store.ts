import { isDeepStrictEqual } from 'node:util';
import type { CleanRequest } from '../model/discovery.ts';
import { PermanentError } from '../model/errors.ts';
import {
  apiVersion,
  controlFinalizer,
  hostnameLabel,
  mediumAnnotation,
  mediumNodeAnnotation,
  poolNameLabel,
} from '../model/names.ts';
import type { MediumVolume } from '../usecases/medium-facts.ts';
import type { MediumStore } from '../usecases/keep-discovery.ts';
import { isConflict, isNotFound, type KubeApi } from './api.ts';
import type { StorageNodeObject } from './custom-objects.ts';
import { toDiscovered } from './discovery-board.ts';
import { discoveryFacts, type FactsState, type ReadDiscovery } from './discovery-facts.ts';
import { readLive } from './live.ts';
import { dropFinalizer, unlessChanged } from './local-volumes.ts';
import { buildMediumVolume, toMediumVolume } from './medium-volumes.ts';
import type { PersistentVolume } from './objects.ts';
import { resourcePath } from './paths.ts';

function pathOf({ name }: Pick<MediumVolume, 'name'>): string {
  return resourcePath('persistentvolumes', { name });
}

export function mediumStore(api: KubeApi, state: FactsState, read: ReadDiscovery): MediumStore {
  return {
    facts: (node) => discoveryFacts(node, state, read),
    readVolume: async (name) => {
      const object = await readLive<PersistentVolume>(api, pathOf({ name }));
      return object && toMediumVolume(object);
    },
    readNode: async (name) => {
      const path = resourcePath('storagenodes', { name });
      const object = await readLive<StorageNodeObject>(api, path);
      return {
        found: toDiscovered(object?.status?.discovered),
        requests: object?.spec?.clean ?? [],
      };
    },
    make: async (node, entry, pool) => {
      const hostname = state.nodes.get(node)?.metadata?.labels?.[hostnameLabel];
      const itsClass = state.classes.get(pool.plan.storageClassName);
      if (hostname === undefined || itsClass === undefined) {
        throw new PermanentError(`node ${node} has no label ${hostnameLabel}, which volumes need`);
      }
      const object = buildMediumVolume(entry, pool, { node, hostname, itsClass });
      try {
        await api.create(resourcePath('persistentvolumes'), object);
        return true;
      } catch (error) {
        if (isConflict(error)) {
          return false;
        }
        throw error;
      }
    },
    takeOver: async (volume, { id }, { node, pool }) => {
      const { uid, resourceVersion } = volume;
      await unlessChanged(async () => {
        const object = await api.get<PersistentVolume>(pathOf(volume));
        const finalizers = [...(object.metadata?.finalizers ?? []), controlFinalizer];
        const annotations = { [mediumAnnotation]: id, [mediumNodeAnnotation]: node };
        const labels = { [poolNameLabel]: pool };
        await api.patch(pathOf(volume), 'merge', {
          metadata: { uid, resourceVersion, finalizers, annotations, labels },
        });
      });
    },
    markDeleted: async (volume) => {
      const { uid, resourceVersion } = volume;
      try {
        await api.delete(pathOf(volume), { uid, resourceVersion });
        return true;
      } catch (error) {
        if (isConflict(error) || isNotFound(error)) {
          return false;
        }
        throw error;
      }
    },
    letGo: (volume) => dropFinalizer(api, pathOf(volume), volume.uid, controlFinalizer),
    ask: (node, request) =>
      changeClean(api, node, (all) =>
        all.some(({ volumeUid }) => volumeUid === request.volumeUid)
          ? all
          : [...all.filter(({ id }) => id !== request.id), request],
      ),
    forget: (node, request) =>
      changeClean(api, node, (all) => all.filter((one) => !isDeepStrictEqual(one, request))),
  };
}

/** Each write rests on the version it has read. Where there is no StorageNode, it is made. */
async function changeClean(
  api: KubeApi,
  node: string,
  change: (all: readonly CleanRequest[]) => readonly CleanRequest[],
): Promise<void> {
  const path = resourcePath('storagenodes', { name: node });
  for (;;) {
    const object = await readLive<StorageNodeObject>(api, path);
    const before = object?.spec?.clean ?? [];
    const clean = change(before);
    if (isDeepStrictEqual(clean, before)) {
      return;
    }
    try {
      if (object === undefined) {
        const fresh = { apiVersion, kind: 'StorageNode', metadata: { name: node } };
        await api.create(resourcePath('storagenodes'), { ...fresh, spec: { clean } });
      } else {
        const { uid, resourceVersion } = object.metadata;
        await api.patch(path, 'merge', { metadata: { uid, resourceVersion }, spec: { clean } });
      }
      return;
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error)) {
        throw error;
      }
    }
  }
}
