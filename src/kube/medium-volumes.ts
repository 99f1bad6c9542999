import { bytes } from '../model/bytes.ts';
import { mediumVolumeName, type DiscoveredEntry, type DiscoveryPool } from '../model/discovery.ts';
import { labelValue } from '../model/label-value.ts';
import {
  controlFinalizer,
  discoverer,
  hostnameLabel,
  mediumAnnotation,
  mediumNodeAnnotation,
  nodeLabel,
  poolNameLabel,
  provisionedByAnnotation,
} from '../model/names.ts';
import { formatQuantity, parseQuantity } from '../model/quantity.ts';
import type { MediumVolume } from '../usecases/medium-facts.ts';
import type { PersistentVolume, StorageClass } from './objects.ts';

const staticProvisioner = 'local-volume-provisioner-';

/** A Local PersistentVolume, whoever made it; nothing for those of other kinds. */
export function toMediumVolume(object: PersistentVolume): MediumVolume | undefined {
  const { metadata = {}, spec = {}, status = {} } = object;
  if (spec.local === undefined) {
    return undefined;
  }
  const { name = '', uid = '', resourceVersion = '', annotations = {}, labels = {} } = metadata;
  const capacity = parseQuantity(spec.capacity?.['storage'] ?? '');
  return {
    ...{ name, uid, resourceVersion },
    id: annotations[mediumAnnotation],
    pool: labels[poolNameLabel] ?? '',
    isStatic: isStatic(object),
    path: spec.local.path,
    bytes: capacity.ok ? capacity.value : 0,
    mode: spec.volumeMode === 'Block' ? 'Block' : 'Filesystem',
    className: spec.storageClassName ?? '',
    phase: status.phase ?? 'Pending',
    claim: spec.claimRef,
    reclaimPolicy: spec.persistentVolumeReclaimPolicy ?? 'Retain',
    deleting: metadata.deletionTimestamp !== undefined,
  };
}

function isStatic({ metadata }: PersistentVolume): boolean {
  const maker = metadata?.annotations?.[provisionedByAnnotation];
  return maker?.startsWith(staticProvisioner) === true;
}

/** Whether a PersistentVolume can be used on a node only by its hostname. */
export function isOnHost({ spec }: PersistentVolume, hostname: string): boolean {
  const terms = spec?.nodeAffinity?.required?.nodeSelectorTerms ?? [];
  return terms.some(({ matchExpressions = [] }) =>
    matchExpressions.some(
      ({ key, values = [] }) => key === hostnameLabel && values.includes(hostname),
    ),
  );
}

export interface MediumPlace {
  readonly node: string;
  readonly hostname: string;
  readonly itsClass: StorageClass;
}

/** The whole medium, for whatever claim the scheduler chooses for it. */
export function buildMediumVolume(
  { id = '', path, bytes: size, mode, name }: DiscoveredEntry,
  { name: pool, plan }: DiscoveryPool,
  { node, hostname, itsClass }: MediumPlace,
): PersistentVolume {
  const mountOptions = plan.mountOptions ?? itsClass.mountOptions ?? [];
  const isFilesystem = mode === 'Filesystem';
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: {
      name: mediumVolumeName(node, id),
      labels: {
        [poolNameLabel]: pool,
        [nodeLabel]: labelValue(node),
        [hostnameLabel]: hostname,
      },
      annotations: {
        // Not Kubernetes' own: it leaves it to whoever this is to delete the volume.
        [provisionedByAnnotation]: discoverer,
        [mediumAnnotation]: id,
        [mediumNodeAnnotation]: node,
        'berth.dev/entry': name,
      },
      finalizers: [controlFinalizer],
    },
    spec: {
      capacity: { storage: formatQuantity(bytes(size)) },
      volumeMode: mode,
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: itsClass.reclaimPolicy === 'Retain' ? 'Retain' : 'Delete',
      storageClassName: plan.storageClassName,
      ...(isFilesystem && mountOptions.length > 0 ? { mountOptions: [...mountOptions] } : {}),
      local: { path, ...(isFilesystem && plan.fsType ? { fsType: plan.fsType } : {}) },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: hostnameLabel, operator: 'In', values: [hostname] }] },
          ],
        },
      },
    },
  };
}
