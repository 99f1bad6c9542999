import { selectedNodeAnnotation } from '../model/names.ts';
import type { ClaimStore } from '../usecases/cluster.ts';
import { deleteOnly, type KubeApi } from './api.ts';
import { toClaim } from './claims.ts';
import { readLive } from './live.ts';
import type { PersistentVolumeClaim } from './objects.ts';
import { resourcePath } from './paths.ts';
import type { Reflector } from './reflector.ts';

export function claimStore(api: KubeApi, memory: Reflector<PersistentVolumeClaim>): ClaimStore {
  const path = (namespace: string, name: string): string =>
    resourcePath('persistentvolumeclaims', { namespace, name });
  return {
    get: (namespace, name) => {
      const object = memory.get(`${namespace}/${name}`);
      return object && toClaim(object);
    },
    read: async (namespace, name) => {
      const object = await readLive<PersistentVolumeClaim>(api, path(namespace, name));
      return object && toClaim(object);
    },
    clearSelectedNode: async ({ ref }) => {
      const annotations = { [selectedNodeAnnotation]: null };
      const patch = { metadata: { uid: ref.uid, annotations } };
      await api.patch(path(ref.namespace, ref.name), 'merge', patch);
    },
    delete: async ({ namespace, name, uid }) => {
      await deleteOnly(api, path(namespace, name), { uid });
    },
  };
}
