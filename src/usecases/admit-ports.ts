import type { Alternatives } from '../admission/node-terms.ts';
import type { VolumeForm } from '../model/volume.ts';

/** What admission reads of a claim. */
export interface ClaimView {
  readonly uid: string;
  /** Nothing where the claim leaves the choice to the cluster; empty where it wants no class. */
  readonly className: string | undefined;
  /** The volume it is bound to, or empty; empty for a claim that is being deleted. */
  readonly volume: string;
}

export interface VolumeView {
  /** The value of `pv.kubernetes.io/provisioned-by`, or empty. */
  readonly provisionedBy: string;
  /** The claim it is kept for, or empty. */
  readonly claimUid: string;
  readonly terms: Alternatives | undefined;
}

export interface ClassView {
  readonly name: string;
  readonly provisioner: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/**
 * The cluster as admission sees it: from memory where it is there, else asked live, so that
 * "nothing" means that the object does not exist. Bound claims are asked live: a pod keeps for ever
 * what it is told of them.
 *
 * Every call throws when the API server gives no answer in time.
 */
export interface AdmissionView {
  claim(namespace: string, name: string): Promise<ClaimView | undefined>;
  volume(name: string): Promise<VolumeView | undefined>;
  storageClass(name: string): Promise<ClassView | undefined>;
  /** What the volumes of a pool are; nothing where its StoragePool cannot be read. Asked live. */
  volumeForm(pool: string): Promise<VolumeForm | undefined>;
  /** The class of claims that name none. */
  defaultClass(): ClassView | undefined;
}
