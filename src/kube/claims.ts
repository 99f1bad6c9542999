import type { Bytes } from '../model/bytes.ts';
import type { Claim, VolumeClass } from '../model/claim.ts';
import { selectedNodeAnnotation } from '../model/names.ts';
import { requestedBytes } from '../model/pod.ts';
import { parseQuantity } from '../model/quantity.ts';
import { parseClassParameters } from '../model/storage-class.ts';
import type { PersistentVolumeClaim, StorageClass } from './objects.ts';

/** What an object says that it has, or nothing where that cannot be read. */
export function readCapacity(capacity: Readonly<Record<string, string>> = {}): Bytes | undefined {
  const size = parseQuantity(capacity['storage'] ?? '');
  return size.ok ? size.value : undefined;
}

export function toClaim(object: PersistentVolumeClaim): Claim {
  const { metadata = {}, spec = {}, status = {} } = object;
  const owner = metadata.ownerReferences?.find((one) => one.kind === 'Pod' && one.controller);
  return {
    ref: {
      namespace: metadata.namespace ?? '',
      name: metadata.name ?? '',
      uid: metadata.uid ?? '',
    },
    resourceVersion: metadata.resourceVersion ?? '',
    requested: requestedBytes(spec.resources?.requests),
    capacity: readCapacity(status.capacity),
    isResizing: saysResizing(status),
    className: metadata.annotations?.[betaClassAnnotation] ?? spec.storageClassName,
    volumeName: spec.volumeName ?? '',
    volumeMode: spec.volumeMode === 'Block' ? 'Block' : 'Filesystem',
    accessModes: spec.accessModes ?? [],
    hasSelector: spec.selector !== undefined,
    lost: status.phase === 'Lost',
    deleting: metadata.deletionTimestamp !== undefined,
    selectedNode: metadata.annotations?.[selectedNodeAnnotation] ?? '',
    ownerPod: owner && { name: owner.name, uid: owner.uid },
  };
}

/** What different versions of Kubernetes say of a claim while it grows. */
export const resizeConditions: readonly string[] = [
  ...['Resizing', 'FileSystemResizePending'],
  ...['ControllerResizeError', 'NodeResizeError'],
];

function saysResizing(status: NonNullable<PersistentVolumeClaim['status']>): boolean {
  return (
    status.allocatedResources?.['storage'] !== undefined ||
    status.conditions?.some(({ type }) => resizeConditions.includes(type)) === true
  );
}

/** Where a claim named its class before it had a field; Kubernetes still reads it, and first. */
const betaClassAnnotation = 'volume.beta.kubernetes.io/storage-class';

export function toVolumeClass(object: StorageClass): VolumeClass {
  return {
    name: object.metadata?.name ?? '',
    provisioner: object.provisioner,
    waitsForPod: object.volumeBindingMode === 'WaitForFirstConsumer',
    reclaimPolicy: object.reclaimPolicy === 'Retain' ? 'Retain' : 'Delete',
    mountOptions: object.mountOptions ?? [],
    parameters: parseClassParameters(object.parameters ?? {}),
  };
}

const defaultClassAnnotations = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
];

/** The default class; of several the newest, then the first by name, as the API server chooses. */
export function defaultClass(classes: Iterable<StorageClass>): StorageClass | undefined {
  return [...classes]
    .filter(({ metadata }) =>
      defaultClassAnnotations.some((key) => metadata?.annotations?.[key] === 'true'),
    )
    .sort(
      (a, b) =>
        createdAt(b).localeCompare(createdAt(a)) ||
        (a.metadata?.name ?? '').localeCompare(b.metadata?.name ?? ''),
    )[0];
}

function createdAt({ metadata }: StorageClass): string {
  return metadata?.creationTimestamp ?? '';
}
