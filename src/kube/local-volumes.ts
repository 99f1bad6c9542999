import { bytes, type Bytes } from '../model/bytes.ts';
import { labelValue } from '../model/label-value.ts';
import {
  agentFinalizer,
  apiVersion,
  controlFinalizer,
  diskFailingSinceAnnotation,
  givenUpAnnotation,
  nodeLabel,
  nodeLostSinceAnnotation,
} from '../model/names.ts';
import type { LocalVolume, VolumeRef, VolumeSpec } from '../model/volume.ts';
import type { VolumeStore } from '../usecases/cluster.ts';
import { isConflict, isNotFound, type KubeApi } from './api.ts';
import type { LocalVolumeObject } from './custom-objects.ts';
import { readLive } from './live.ts';
import { resourcePath } from './paths.ts';
import type { Reflector } from './reflector.ts';
import type { Waiter } from './waiter.ts';

/** Set before a PersistentVolume is made; from then on the volume belongs to its claim. */
const publishedAnnotation = 'berth.dev/published';
/** Set before a PersistentVolume with the policy Retain is let go. */
const retainedAnnotation = 'berth.dev/retained';
/** `<name>/<uid>` of the first of the volumes that were made together for a pod. */
const followsAnnotation = 'berth.dev/follows';

export function toLocalVolume(object: LocalVolumeObject): LocalVolume {
  const { metadata, spec, status = {} } = object;
  const finalizers = metadata.finalizers ?? [];
  return {
    name: metadata.name,
    uid: metadata.uid ?? '',
    resourceVersion: metadata.resourceVersion ?? '',
    spec: { ...spec, bytes: bytes(spec.bytes) },
    status: {
      ...status,
      phase: status.phase ?? 'Pending',
      allocatedBytes: optionalBytes(status.allocatedBytes),
      bytes: optionalBytes(status.bytes),
    },
    deleting: metadata.deletionTimestamp !== undefined,
    heldByControl: finalizers.includes(controlFinalizer),
    heldByAgent: finalizers.includes(agentFinalizer),
    published: metadata.annotations?.[publishedAnnotation] === 'true',
    follows: toVolumeRef(metadata.annotations?.[followsAnnotation]),
    retained: metadata.annotations?.[retainedAnnotation] === 'true',
    nodeLostSince: optionalTime(metadata.annotations?.[nodeLostSinceAnnotation]),
    diskFailingSince: optionalTime(metadata.annotations?.[diskFailingSinceAnnotation]),
    givenUp: metadata.annotations?.[givenUpAnnotation] === 'true',
  };
}

function toVolumeRef(text: string | undefined): VolumeRef | undefined {
  const [name = '', uid = ''] = text?.split('/') ?? [];
  return text === undefined ? undefined : { name, uid };
}

function followerMark({ name, uid }: VolumeRef): Record<string, string> {
  return { [followsAnnotation]: `${name}/${uid}` };
}

function optionalBytes(n: number | undefined): Bytes | undefined {
  return n === undefined ? undefined : bytes(n);
}

/** One that cannot be read is none: the waiting begins anew then. */
function optionalTime(text = ''): number | undefined {
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

function path(name?: string): string {
  return resourcePath('localvolumes', { name });
}

/** The LocalVolumes of the cluster: memory for reading, preconditions for every write. */
export function localVolumeStore(
  api: KubeApi,
  memory: Reflector<LocalVolumeObject>,
  wait: Waiter,
): VolumeStore {
  const get = (name: string): LocalVolume | undefined => {
    const object = memory.get(name);
    return object && toLocalVolume(object);
  };
  const read = async (name: string): Promise<LocalVolume | undefined> => {
    const object = await readLive<LocalVolumeObject>(api, path(name));
    return object && toLocalVolume(object);
  };
  const mark = (
    { name, uid, resourceVersion }: LocalVolume,
    annotations: Record<string, string>,
  ): Promise<boolean> =>
    unlessChanged(async () => {
      await api.patch(path(name), 'merge', { metadata: { resourceVersion, uid, annotations } });
    });
  return {
    *list() {
      for (const object of memory.list()) {
        yield toLocalVolume(object);
      }
    },
    get,
    read,
    ensure: async (name, spec, first) =>
      toLocalVolume(await ensureLocalVolume(api, name, spec, first && followerMark(first))),
    markFollower: (volume, first) => mark(volume, followerMark(first)),
    promise: ({ name, uid, resourceVersion }, size) =>
      unlessChanged(async () => {
        const patch = { metadata: { resourceVersion, uid }, spec: { bytes: size } };
        await api.patch(path(name), 'merge', patch);
      }),
    markPublished: (volume) => mark(volume, { [publishedAnnotation]: 'true' }),
    markRetained: (volume) => mark(volume, { [retainedAnnotation]: 'true' }),
    markDeleted: ({ name, uid, resourceVersion }) =>
      unlessChanged(() => api.delete(path(name), { uid, resourceVersion })),
    releaseToAgent: (volume) => dropFinalizer(api, path(volume.name), volume.uid, controlFinalizer),
    waitUntil: (name, done, timeoutMs) => wait.until(name, () => done(get(name)), timeoutMs),
  };
}

/** @returns false where the object was changed or removed by another hand in between */
export async function unlessChanged(write: () => Promise<void>): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    if (isConflict(error) || isNotFound(error)) {
      return false;
    }
    throw error;
  }
}

/** Makes the object, or gives the one that is there. */
export async function ensureLocalVolume(
  api: KubeApi,
  name: string,
  spec: VolumeSpec,
  annotations?: Record<string, string>,
): Promise<LocalVolumeObject> {
  const metadata = {
    name,
    annotations,
    labels: { [nodeLabel]: labelValue(spec.node) },
    finalizers: [controlFinalizer, agentFinalizer],
  };
  try {
    return await api.create(path(), { apiVersion, kind: 'LocalVolume', metadata, spec });
  } catch (error) {
    if (isConflict(error)) {
      return api.get(path(name));
    }
    throw error;
  }
}

interface WithFinalizers {
  readonly metadata: {
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly finalizers?: string[];
  };
}

/** Takes one finalizer off an object of that uid. Done already, or gone, is done. */
export async function dropFinalizer(
  api: KubeApi,
  at: string,
  uid: string,
  finalizer: string,
): Promise<void> {
  for (;;) {
    try {
      const { metadata } = await api.get<WithFinalizers>(at);
      const { finalizers = [], resourceVersion } = metadata;
      if (metadata.uid !== uid || !finalizers.includes(finalizer)) {
        return;
      }
      const left = finalizers.filter((one) => one !== finalizer);
      await api.patch(at, 'merge', { metadata: { uid, resourceVersion, finalizers: left } });
      return;
    } catch (error) {
      if (isNotFound(error)) {
        return;
      }
      if (!isConflict(error)) {
        throw error;
      }
    }
  }
}
