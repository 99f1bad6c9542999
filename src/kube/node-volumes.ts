import { isDeepStrictEqual } from 'node:util';
import { agentFinalizer } from '../model/names.ts';
import type { LocalVolume, VolumeStatus } from '../model/volume.ts';
import type { ShowIoLimits } from '../usecases/io-limit-ports.ts';
import type { NodeVolumes } from '../usecases/node-ports.ts';
import type { KubeApi } from './api.ts';
import type { LocalVolumeObject } from './custom-objects.ts';
import { readLive } from './live.ts';
import { dropFinalizer, toLocalVolume } from './local-volumes.ts';
import { resourcePath } from './paths.ts';
import type { Reflector } from './reflector.ts';

/** The LocalVolumes whose spec names this node; of all others nothing is seen. */
export function nodeVolumes(
  api: KubeApi,
  memory: Reflector<LocalVolumeObject>,
  node: string,
): NodeVolumes {
  return {
    get: (name) => {
      const object = memory.get(name);
      return object?.spec.node === node ? toLocalVolume(object) : undefined;
    },
    read: async (name) => {
      const object = await readLive<LocalVolumeObject>(api, resourcePath('localvolumes', { name }));
      return object?.spec.node === node ? toLocalVolume(object) : undefined;
    },
    list: () => [...memory.list()].filter(({ spec }) => spec.node === node).map(toLocalVolume),
    setStatus: async (volume, status) => {
      const changes = statusChanges(volume.status, status);
      if (Object.keys(changes).length > 0) {
        // The uid keeps a late write away from a namesake that was made meanwhile.
        const patch = { metadata: { uid: volume.uid }, status: changes };
        await api.patch(pathOf(volume, 'status'), 'merge', patch);
      }
    },
    setHealth: async (volume, health) => {
      const patch = { metadata: { uid: volume.uid }, status: { health: health ?? null } };
      await api.patch(pathOf(volume, 'status'), 'merge', patch);
    },
    release: (volume) => dropFinalizer(api, pathOf(volume), volume.uid, agentFinalizer),
  };
}

/** Writes whether the limits of a volume hold: a field of its own, that `setStatus` leaves alone. */
export function ioLimitsBoard(api: KubeApi): ShowIoLimits {
  return async (volume, standing) => {
    if (!isDeepStrictEqual(volume.status.ioLimits, standing)) {
      const patch = { metadata: { uid: volume.uid }, status: { ioLimits: standing ?? null } };
      await api.patch(pathOf(volume, 'status'), 'merge', patch);
    }
  };
}

function pathOf({ name }: LocalVolume, subresource?: 'status'): string {
  return resourcePath('localvolumes', { name, ...(subresource && { subresource }) });
}

const statusFields = [
  ...(['phase', 'path', 'allocatedBytes', 'bytes'] as const),
  ...(['generation', 'message', 'erased'] as const),
];

/** The fields that differ; null takes one away (RFC 7396). */
function statusChanges(before: VolumeStatus, after: VolumeStatus): Record<string, unknown> {
  const changed = statusFields.filter((field) => !isDeepStrictEqual(before[field], after[field]));
  return Object.fromEntries(changed.map((field) => [field, after[field] ?? null]));
}

/** Whether the agent has to look at the volume again; its own status is its own doing. */
export function isNewsForAgent(
  before: LocalVolumeObject | undefined,
  after: LocalVolumeObject | undefined,
): boolean {
  return JSON.stringify(said(before)) !== JSON.stringify(said(after));
}

function said(object: LocalVolumeObject | undefined): unknown {
  const { uid, finalizers, deletionTimestamp } = object?.metadata ?? {};
  return [uid, finalizers, deletionTimestamp, object?.spec];
}
