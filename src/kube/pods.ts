import { wakeAnnotation } from '../model/names.ts';
import { parsePod, type Pod } from '../model/pod.ts';
import type { PodStore } from '../usecases/cluster.ts';
import type { Now } from '../usecases/ports.ts';
import { deleteOnly, isConflict, isNotFound, type KubeApi } from './api.ts';
import { readLive } from './live.ts';
import type { Pod as PodApiObject } from './objects.ts';
import { resourcePath } from './paths.ts';
import type { Reflector } from './reflector.ts';

export function podStore(api: KubeApi, memory: Reflector<PodApiObject>, now: Now): PodStore {
  return {
    *pending() {
      for (const object of memory.list()) {
        const pod = toPod(object);
        if (pod) {
          yield pod;
        }
      }
    },
    get: (namespace, name) => {
      const object = memory.get(`${namespace}/${name}`);
      return object && toPod(object);
    },
    read: async (namespace, name) => {
      const object = await readLive<PodApiObject>(api, resourcePath('pods', { namespace, name }));
      return object && toPod(object);
    },
    bind: async ({ namespace, name, uid }, node) => {
      const path = resourcePath('pods', { namespace, name, subresource: 'binding' });
      try {
        await api.create(path, {
          apiVersion: 'v1',
          kind: 'Binding',
          metadata: { namespace, name, uid },
          target: { apiVersion: 'v1', kind: 'Node', name: node },
        });
        return true;
      } catch (error) {
        if (isConflict(error) || isNotFound(error)) {
          return false;
        }
        throw error;
      }
    },
    touch: async ({ namespace, name, uid }) => {
      const annotations = { [wakeAnnotation]: String(now()) };
      try {
        const path = resourcePath('pods', { namespace, name });
        await api.patch(path, 'merge', { metadata: { uid, annotations } });
      } catch (error) {
        // The pod has gone or was replaced: nobody is left to wake.
        if (!isNotFound(error) && !isConflict(error)) {
          throw error;
        }
      }
    },
    usersOf: async ({ namespace, name }, node) => {
      const path = resourcePath('pods', { namespace });
      const on = (nodeName: string): Promise<{ items: PodApiObject[] }> =>
        api.get(path, { fieldSelector: `spec.nodeName=${nodeName}` });
      const lists = await Promise.all([on(node), on('')]);
      return lists
        .flatMap(({ items }) => items)
        .flatMap((object) => {
          const pod = toPod(object);
          const uses = pod?.claims.some((claim) => claim.name === name) === true;
          const replaceable =
            object.metadata?.ownerReferences?.some((one) => one.controller) === true;
          return uses ? [{ pod, replaceable }] : [];
        });
    },
    delete: ({ namespace, name, uid }, force) =>
      deleteOnly(api, resourcePath('pods', { namespace, name }), {
        uid,
        ...(force && { gracePeriodSeconds: 0 }),
      }),
  };
}

function toPod(object: PodApiObject): Pod | undefined {
  const pod = parsePod(object);
  return pod.ok ? pod.value : undefined;
}
