import { provisionedByAnnotation } from '../model/names.ts';
import type { VolumeForm } from '../model/volume.ts';
import type { AdmissionView, ClaimView, ClassView, VolumeView } from '../usecases/admit-ports.ts';
import type { Log } from '../usecases/ports.ts';
import { isNotFound, type KubeApi } from './api.ts';
import type { KubeClient } from './client.ts';
import type { StoragePoolObject } from './custom-objects.ts';
import type {
  KubeObject,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from './objects.ts';
import { resourcePath } from './paths.ts';
import { createReflector, type Reflector } from './reflector.ts';

export interface WatchedAdmissionView extends AdmissionView {
  /** The collections that have not been read whole yet. */
  notReady(): readonly string[];
  /** Resolves, and never rejects, once `signal` has fired. */
  run(signal: AbortSignal): Promise<void>;
}

/** The older way to name a class, which Kubernetes still puts before the field. */
const classAnnotation = 'volume.beta.kubernetes.io/storage-class';
const defaultAnnotations = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
];

/**
 * A pod may be made of three live reads one after the other, and the API server waits 10 s for
 * the whole answer.
 */
const liveReadMs = 2_500;

/** @param formOf - reads the spec of a StoragePool */
export function admissionView(
  client: KubeClient,
  log: Log,
  formOf: (spec: unknown) => VolumeForm | undefined,
): WatchedAdmissionView {
  const common = { ...client, log };
  const classes = createReflector<StorageClass>({
    ...common,
    path: resourcePath('storageclasses'),
    trim: trimClass,
  });
  const claims = createReflector<PersistentVolumeClaim>({
    ...common,
    path: resourcePath('persistentvolumeclaims'),
    trim: trimClaim,
  });
  const volumes = createReflector<PersistentVolume>({
    ...common,
    path: resourcePath('persistentvolumes'),
    trim: trimVolume,
  });
  const { api } = client;

  return {
    claim: (namespace, name) =>
      currentClaim(claims.get(`${namespace}/${name}`), () =>
        live(api, resourcePath('persistentvolumeclaims', { namespace, name })),
      ),
    volume: async (name) => {
      const found =
        volumes.get(name) ?? (await live(api, resourcePath('persistentvolumes', { name })));
      return found && toVolumeView(found);
    },
    storageClass: async (name) => {
      const found =
        classes.get(name) ?? (await live(api, resourcePath('storageclasses', { name })));
      return found && toClassView(found);
    },
    volumeForm: async (pool) => {
      const path = resourcePath('storagepools', { name: pool });
      return formOf((await live<StoragePoolObject>(api, path))?.spec);
    },
    defaultClass: () => defaultClass(classes),
    notReady: () =>
      Object.entries({ StorageClasses: classes, claims, volumes })
        .filter(([, { synced }]) => !synced)
        .map(([name]) => `${name} not read`),
    run: async (signal) => {
      await Promise.all([classes, claims, volumes].map((one) => one.run(signal)));
    },
  };
}

/**
 * A claim as a new pod finds it. Memory will do where the claim has no volume yet. What is bound, or
 * goes away, may be gone already, with a new claim under its name that has no volume: its pod, tied
 * to the place of the old one, could wait there for ever.
 */
export async function currentClaim(
  known: PersistentVolumeClaim | undefined,
  readLive: () => Promise<PersistentVolumeClaim | undefined>,
): Promise<ClaimView | undefined> {
  const isSettled = known !== undefined && !isGoing(known) && !known.spec?.volumeName;
  const found = isSettled ? known : await readLive();
  return found && toClaimView(found);
}

function isGoing({ metadata }: PersistentVolumeClaim): boolean {
  return metadata?.deletionTimestamp !== undefined;
}

/** @returns nothing when the API server says that there is no such object */
async function live<T extends KubeObject>(api: KubeApi, path: string): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${path}: no answer within ${liveReadMs} ms`)),
      liveReadMs,
    );
  });
  try {
    return await Promise.race([api.get<T>(path), late]);
  } catch (error) {
    if (isNotFound(error)) {
      return undefined;
    }
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Of several defaults the newest counts, and of equally new ones the first by name: as in Kubernetes. */
function defaultClass(classes: Reflector<StorageClass>): ClassView | undefined {
  const [first] = [...classes.list()]
    .filter(({ metadata }) => defaultAnnotations.some((a) => metadata?.annotations?.[a] === 'true'))
    .sort((a, b) => byAgeThenName(a, b));
  return first && toClassView(first);
}

function byAgeThenName(a: StorageClass, b: StorageClass): number {
  const at = ({ metadata }: StorageClass): string => metadata?.creationTimestamp ?? '';
  const name = ({ metadata }: StorageClass): string => metadata?.name ?? '';
  return at(b).localeCompare(at(a)) || name(a).localeCompare(name(b));
}

function toClassView({ metadata, provisioner, parameters = {} }: StorageClass): ClassView {
  return { name: metadata?.name ?? '', provisioner, parameters };
}

function toClaimView(claim: PersistentVolumeClaim): ClaimView {
  const { metadata, spec } = claim;
  return {
    uid: metadata?.uid ?? '',
    className: metadata?.annotations?.[classAnnotation] ?? spec?.storageClassName,
    // The volume of one that goes away goes with it.
    volume: isGoing(claim) ? '' : (spec?.volumeName ?? ''),
  };
}

function toVolumeView({ metadata, spec }: PersistentVolume): VolumeView {
  return {
    provisionedBy: metadata?.annotations?.[provisionedByAnnotation] ?? '',
    claimUid: spec?.claimRef?.uid ?? '',
    terms: spec?.nodeAffinity?.required?.nodeSelectorTerms,
  };
}

function trimClass({ metadata, provisioner, parameters }: StorageClass): StorageClass {
  return {
    metadata: {
      ...pick(metadata, ['name', 'creationTimestamp']),
      annotations: pick(metadata?.annotations, defaultAnnotations),
    },
    provisioner,
    ...(parameters && { parameters }),
  };
}

function trimClaim({ metadata, spec }: PersistentVolumeClaim): PersistentVolumeClaim {
  return {
    metadata: {
      ...pick(metadata, ['name', 'namespace', 'uid', 'deletionTimestamp']),
      annotations: pick(metadata?.annotations, [classAnnotation]),
    },
    spec: pick(spec, ['storageClassName', 'volumeName']),
  };
}

function trimVolume({ metadata, spec }: PersistentVolume): PersistentVolume {
  return {
    metadata: {
      ...pick(metadata, ['name']),
      annotations: pick(metadata?.annotations, [provisionedByAnnotation]),
    },
    spec: { ...pick(spec, ['nodeAffinity']), claimRef: pick(spec?.claimRef, ['uid']) },
  };
}

/** The fields named, as far as they are there. */
function pick<T extends object, K extends keyof T>(
  from: T | undefined,
  names: readonly K[],
): Pick<T, K> {
  const present = names.flatMap((name) =>
    from?.[name] === undefined ? [] : [[name, from[name]] as const],
  );
  return Object.fromEntries(present) as Pick<T, K>;
}
