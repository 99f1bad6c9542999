import {
  agentFinalizer,
  apiVersion,
  diskFailingSinceAnnotation,
  givenUpAnnotation,
  nodeLostSinceAnnotation,
} from '../model/names.ts';
import type { LocalVolume } from '../model/volume.ts';
import type { LossRecord } from '../usecases/cluster.ts';
import { isConflict, type KubeApi } from './api.ts';
import type { PurgeEntry, StorageNodeObject } from './custom-objects.ts';
import { readLive } from './live.ts';
import { dropFinalizer, unlessChanged } from './local-volumes.ts';
import { resourcePath } from './paths.ts';

const maxReasonLength = 1024;

/** What is remembered of lost nodes stands on the objects, so that any replica goes on with it. */
export function lossRecord(api: KubeApi): LossRecord {
  const annotate = (volume: LocalVolume, annotations: Record<string, string | null>) =>
    unlessChanged(async () => {
      const { uid, resourceVersion } = volume;
      await api.patch(pathOf(volume), 'merge', { metadata: { uid, resourceVersion, annotations } });
    });
  return {
    markNodeLost: (volume, since) =>
      annotate(volume, { [nodeLostSinceAnnotation]: new Date(since).toISOString() }),
    markDiskFailing: (volume, since) =>
      annotate(volume, { [diskFailingSinceAnnotation]: new Date(since).toISOString() }),
    markGivenUp: (volume) => annotate(volume, { [givenUpAnnotation]: 'true' }),
    markBack: (volume) =>
      annotate(volume, {
        [nodeLostSinceAnnotation]: null,
        [diskFailingSinceAnnotation]: null,
        [givenUpAnnotation]: null,
      }),
    requestPurge: async (volume, reason, now) => {
      const { name, uid: volumeUid, spec } = volume;
      await addPurge(api, spec.node, {
        ...{ pool: spec.pool, name, volumeUid, erase: spec.erase },
        reason: reason.slice(0, maxReasonLength),
        requestedAt: new Date(now).toISOString(),
      });
    },
    releaseFromAgent: (volume) => dropFinalizer(api, pathOf(volume), volume.uid, agentFinalizer),
  };
}

function pathOf({ name }: LocalVolume): string {
  return resourcePath('localvolumes', { name });
}

/** The agent takes entries away, and others add some: each write rests on the version it has read. */
async function addPurge(api: KubeApi, node: string, entry: PurgeEntry): Promise<void> {
  const path = resourcePath('storagenodes', { name: node });
  for (;;) {
    try {
      const object = await readLive<StorageNodeObject>(api, path);
      await (object ? extendPurge(api, object, entry) : createWith(api, node, entry));
      return;
    } catch (error) {
      if (!isConflict(error)) {
        throw error;
      }
    }
  }
}

async function createWith(api: KubeApi, node: string, entry: PurgeEntry): Promise<void> {
  const object = { apiVersion, kind: 'StorageNode', metadata: { name: node } };
  await api.create(resourcePath('storagenodes'), { ...object, spec: { purge: [entry] } });
}

async function extendPurge(
  api: KubeApi,
  { metadata, spec }: StorageNodeObject,
  entry: PurgeEntry,
): Promise<void> {
  const known = spec?.purge ?? [];
  if (known.some(({ pool, volumeUid }) => pool === entry.pool && volumeUid === entry.volumeUid)) {
    return;
  }
  // A list of this kind holds a name once. The volume that had it last is the one on disk.
  const others = known.filter(({ pool, name }) => pool !== entry.pool || name !== entry.name);
  const { uid, resourceVersion } = metadata;
  await api.patch(resourcePath('storagenodes', { name: metadata.name }), 'merge', {
    metadata: { uid, resourceVersion },
    spec: { purge: [...others, entry] },
  });
}
