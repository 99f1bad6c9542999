import { claimText, type Claim } from '../model/claim.ts';
import { selectedNodeAnnotation } from '../model/names.ts';
import { formatQuantity } from '../model/quantity.ts';
import type { ClaimStore } from '../usecases/cluster.ts';
import { deleteOnly, type KubeApi } from './api.ts';
import { resizeConditions, toClaim } from './claims.ts';
import { readLive } from './live.ts';
import { unlessChanged } from './local-volumes.ts';
import type { PersistentVolumeClaim } from './objects.ts';
import { resourcePath } from './paths.ts';
import type { Reflector } from './reflector.ts';

interface ClaimName {
  readonly namespace: string;
  readonly name: string;
}

function path({ namespace, name }: ClaimName): string {
  return resourcePath('persistentvolumeclaims', { namespace, name });
}

/** Live. */
export async function readClaim(api: KubeApi, named: ClaimName): Promise<Claim | undefined> {
  const object = await readLive<PersistentVolumeClaim>(api, path(named));
  return object && toClaim(object);
}

export function claimStore(api: KubeApi, memory: Reflector<PersistentVolumeClaim>): ClaimStore {
  return {
    get: (namespace, name) => {
      const object = memory.get(`${namespace}/${name}`);
      return object && toClaim(object);
    },
    read: (namespace, name) => readClaim(api, { namespace, name }),
    clearSelectedNode: async ({ ref }) => {
      const annotations = { [selectedNodeAnnotation]: null };
      const patch = { metadata: { uid: ref.uid, annotations } };
      await api.patch(path(ref), 'merge', patch);
    },
    setCapacity: (claim, capacity) =>
      unlessChanged(async () => {
        const { conditions = [] } = memory.get(claimText(claim.ref))?.status ?? {};
        const status = {
          capacity: { storage: formatQuantity(capacity) },
          conditions: conditions.filter(({ type }) => !resizeConditions.includes(type)),
          allocatedResources: null,
          allocatedResourceStatuses: null,
        };
        const { resourceVersion, ref } = claim;
        const patch = { metadata: { uid: ref.uid, resourceVersion }, status };
        await api.patch(`${path(ref)}/status`, 'merge', patch);
      }),
    delete: async (ref) => {
      await deleteOnly(api, path(ref), { uid: ref.uid });
    },
  };
}
