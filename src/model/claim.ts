import type { Bytes } from './bytes.ts';
import { provisioner } from './names.ts';
import type { Result } from './result.ts';
import type { ClassParameters } from './storage-class.ts';
import type { ClaimRef, VolumeMode } from './volume.ts';

/** A PersistentVolumeClaim, as far as it is read. */
export interface Claim {
  readonly ref: ClaimRef;
  readonly resourceVersion: string;
  readonly requested: Result<Bytes, string>;
  /** What it has, once it is bound. */
  readonly capacity: Bytes | undefined;
  /** Its status says that it is about to grow. */
  readonly isResizing: boolean;
  /** Missing where the claim has none and there is no default. */
  readonly className: string | undefined;
  /** The PersistentVolume it is bound to; empty while it has none. */
  readonly volumeName: string;
  readonly volumeMode: VolumeMode;
  readonly accessModes: readonly string[];
  readonly hasSelector: boolean;
  readonly lost: boolean;
  readonly deleting: boolean;
  /** The node that a scheduler with VolumeBinding has chosen for it. */
  readonly selectedNode: string;
  /** The pod that the claim was made for, where it is one of a generic ephemeral volume. */
  readonly ownerPod: { readonly name: string; readonly uid: string } | undefined;
}

/** A StorageClass, as far as it is read. */
export interface VolumeClass {
  readonly name: string;
  readonly provisioner: string;
  /** `volumeBindingMode: WaitForFirstConsumer` */
  readonly waitsForPod: boolean;
  readonly reclaimPolicy: 'Delete' | 'Retain';
  readonly mountOptions: readonly string[];
  /** Read only where the class is ours. */
  readonly parameters: Result<ClassParameters, string>;
}

export function isOurs(volumeClass: VolumeClass): boolean {
  return volumeClass.provisioner === provisioner;
}

/** `namespace/name`, as people write it. */
export function claimText(ref: { readonly namespace: string; readonly name: string }): string {
  return `${ref.namespace}/${ref.name}`;
}
