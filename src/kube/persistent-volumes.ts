import type { Claim, VolumeClass } from '../model/claim.ts';
import {
  controlFinalizer,
  healthAnnotation,
  hostnameLabel,
  provisionedByAnnotation,
  provisioner,
} from '../model/names.ts';
import type { LocalVolume } from '../model/volume.ts';
import { formatQuantity } from '../model/quantity.ts';
import { PermanentError } from '../model/errors.ts';
import type { PersistentVolume, PersistentVolumeStore } from '../usecases/cluster.ts';
import { isConflict, isNotFound, type KubeApi } from './api.ts';
import { readLive } from './live.ts';
import { readCapacity } from './claims.ts';
import { dropFinalizer, unlessChanged } from './local-volumes.ts';
import type { PersistentVolume as PersistentVolumeObject } from './objects.ts';
import { resourcePath } from './paths.ts';
import type { Reflector } from './reflector.ts';

export function toPersistentVolume(object: PersistentVolumeObject): PersistentVolume {
  const { metadata = {}, spec = {}, status = {} } = object;
  return {
    name: metadata.name ?? '',
    uid: metadata.uid ?? '',
    resourceVersion: metadata.resourceVersion ?? '',
    phase: status.phase ?? 'Pending',
    claimUid: spec.claimRef?.uid,
    reclaimPolicy: spec.persistentVolumeReclaimPolicy ?? 'Retain',
    ours: metadata.annotations?.[provisionedByAnnotation] === provisioner,
    heldByControl: metadata.finalizers?.includes(controlFinalizer) === true,
    deleting: metadata.deletionTimestamp !== undefined,
    capacity: readCapacity(spec.capacity),
    health: metadata.annotations?.[healthAnnotation],
    terms: spec.nodeAffinity?.required?.nodeSelectorTerms ?? [],
  };
}

export interface PersistentVolumePorts {
  readonly api: KubeApi;
  readonly memory: Reflector<PersistentVolumeObject>;
  /** The value of the node's `kubernetes.io/hostname` label. */
  readonly hostname: (node: string) => string | undefined;
}

export function persistentVolumeStore(ports: PersistentVolumePorts): PersistentVolumeStore {
  const { api, memory, hostname } = ports;
  const path = (name?: string): string => resourcePath('persistentvolumes', { name });
  return {
    get: (name) => {
      const object = memory.get(name);
      return object && toPersistentVolume(object);
    },
    read: async (name) => {
      const object = await readLive<PersistentVolumeObject>(api, path(name));
      return object && toPersistentVolume(object);
    },
    ensure: async (volume, claim, volumeClass) => {
      const label = hostname(volume.spec.node);
      if (label === undefined) {
        const why = `node ${volume.spec.node} has no label ${hostnameLabel}, which its volumes need`;
        throw new PermanentError(why);
      }
      try {
        await api.create(path(), buildPersistentVolume(volume, claim, volumeClass, label));
      } catch (error) {
        if (!isConflict(error)) {
          throw error;
        }
        const { spec, metadata } = await api.get<PersistentVolumeObject>(path(volume.name));
        if (spec?.claimRef?.uid !== claim.ref.uid) {
          throw new PermanentError(`${volume.name} exists for another claim`, { cause: error });
        }
        if (metadata?.deletionTimestamp !== undefined) {
          throw new Error(`PersistentVolume ${volume.name} is being deleted`, { cause: error });
        }
      }
    },
    setCapacity: ({ name, uid, resourceVersion }, capacity) =>
      unlessChanged(async () => {
        const spec = { capacity: { storage: formatQuantity(capacity) } };
        await api.patch(path(name), 'merge', { metadata: { uid, resourceVersion }, spec });
      }),
    remove: async ({ name, uid }) => {
      try {
        await api.delete(path(name), { uid });
      } catch (error) {
        if (isNotFound(error)) {
          return;
        }
        throw error;
      }
      await dropFinalizer(api, path(name), uid, controlFinalizer);
    },
    markHealth: ({ name, uid, resourceVersion }, health) =>
      unlessChanged(async () => {
        const annotations = { [healthAnnotation]: health ?? null };
        await api.patch(path(name), 'merge', { metadata: { uid, resourceVersion, annotations } });
      }),
    letGo: async ({ name, uid, resourceVersion }) => {
      try {
        const { metadata = {} } = await api.get<PersistentVolumeObject>(path(name));
        const finalizers = metadata.finalizers?.filter((one) => one !== controlFinalizer);
        await api.patch(path(name), 'merge', { metadata: { uid, resourceVersion, finalizers } });
      } catch (error) {
        // Whoever has changed it decides; the news of that comes here too.
        if (!isConflict(error) && !isNotFound(error)) {
          throw error;
        }
      }
    },
  };
}

/**
 * A Local PersistentVolume that only `claim` can have: the PV controller completes a claimRef
 * that carries the uid at once, also for a class that waits for its first consumer.
 */
export function buildPersistentVolume(
  { name, spec, status }: LocalVolume,
  claim: Claim,
  volumeClass: VolumeClass,
  hostnameValue: string,
): PersistentVolumeObject {
  const isFilesystem = spec.volumeMode === 'Filesystem';
  const { mountOptions } = volumeClass;
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: {
      name,
      annotations: { [provisionedByAnnotation]: provisioner },
      finalizers: [controlFinalizer],
    },
    spec: {
      capacity: { storage: formatQuantity(spec.bytes) },
      volumeMode: spec.volumeMode,
      accessModes: [...claim.accessModes],
      persistentVolumeReclaimPolicy: volumeClass.reclaimPolicy,
      storageClassName: volumeClass.name,
      ...(mountOptions.length > 0 ? { mountOptions: [...mountOptions] } : {}),
      local: { path: status.path ?? '', ...(isFilesystem ? { fsType: spec.fsType } : {}) },
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', ...claim.ref },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            {
              matchExpressions: [{ key: hostnameLabel, operator: 'In', values: [hostnameValue] }],
            },
          ],
        },
      },
    },
  };
}
