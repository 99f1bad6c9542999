import { deleteAfterAnnotation } from '../model/names.ts';
import type { PartStore } from '../usecases/broker-ports.ts';
import type { RetainedClaim, RetainedPorts } from '../usecases/end-retained.ts';
import type { Log } from '../usecases/ports.ts';
import { deleteOnly, type KubeApi } from './api.ts';
import { readLive } from './live.ts';
import type { PersistentVolumeClaim } from './objects.ts';
import { resourcePath } from './paths.ts';
import type { Reflector } from './reflector.ts';

export interface RetainedClaimPorts {
  readonly api: KubeApi;
  readonly log: Log;
  readonly memory: Reflector<PersistentVolumeClaim>;
  readonly parts: Pick<PartStore, 'usersOf'>;
}

/** The claims that outlive their instances. One whose time cannot be read is kept, with a word. */
export function retainedClaims(ports: RetainedClaimPorts): RetainedPorts['claims'] {
  const { api, memory, parts, log } = ports;
  const path = (key: string): string => {
    const [namespace = '', name = ''] = key.split('/');
    return resourcePath('persistentvolumeclaims', { namespace, name });
  };
  const toRetained = (claim: PersistentVolumeClaim | undefined): RetainedClaim | undefined => {
    const { namespace = '', name = '', uid = '', annotations } = claim?.metadata ?? {};
    const text = annotations?.[deleteAfterAnnotation];
    if (text === undefined || claim?.metadata?.deletionTimestamp !== undefined) {
      return undefined;
    }
    const deleteAfter = Date.parse(text);
    if (Number.isNaN(deleteAfter)) {
      log.warn('a claim is kept: its time cannot be read', { namespace, name, text });
      return undefined;
    }
    return { namespace, name, uid, deleteAfter };
  };
  return {
    get: (key) => toRetained(memory.get(key)),
    read: async (key) => toRetained(await readLive<PersistentVolumeClaim>(api, path(key))),
    remove: ({ namespace, name, uid }) => deleteOnly(api, path(`${namespace}/${name}`), { uid }),
    usersOf: ({ namespace, name }) => parts.usersOf(namespace, [name]),
  };
}
