import type { Bytes } from '../model/bytes.ts';
import type { VolumeEncryption } from '../model/encryption.ts';
import type { IoLimits } from '../model/io-limits.ts';
import type { Placement } from '../model/storage-class.ts';
import type { VolumeMode } from '../model/volume.ts';
import type { NodeSelectorTerm } from './node-affinity.ts';

/** A volume that has still to be cut for a pod. */
export interface VolumeNeed {
  /** Empty for a generic ephemeral volume whose claim does not exist yet. */
  readonly claimUid: string;
  /** `namespace/name`, for texts. */
  readonly claim: string;
  readonly pool: string;
  readonly placement: Placement;
  /** What the claim asks for. */
  readonly bytes: Bytes;
  readonly volumeMode: VolumeMode;
  readonly ioLimits?: IoLimits | undefined;
  readonly mkfsOptions?: readonly string[] | undefined;
  readonly encryption?: VolumeEncryption | undefined;
}

/** A volume that exists already, and so decides where the pod can run. */
export type Pin =
  /** Its LocalVolume names the node; there may be no PersistentVolume yet. */
  | { readonly kind: 'node'; readonly claim: string; readonly node: string }
  /** Its PersistentVolume says which nodes can reach it. */
  | {
      readonly kind: 'affinity';
      readonly claim: string;
      readonly terms: readonly NodeSelectorTerm[];
    };

/** All that the volumes of one pod ask of a node. */
export interface PodNeeds {
  readonly volumes: readonly VolumeNeed[];
  readonly pins: readonly Pin[];
}

/** Why no node at all can take the pod, whatever room there is. */
export interface PodRefusal {
  readonly kind: 'claim-missing' | 'claim-unusable' | 'class-unusable' | 'foreign-claim';
  readonly message: string;
}
