import type { Claim, VolumeClass } from '../model/claim.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { ClassParameters } from '../model/storage-class.ts';
import { whyTooSmall, type VolumeMode } from '../model/volume.ts';
import type { PodRefusal, VolumeNeed } from '../scheduling/needs.ts';
import type { Lookup } from './cluster.ts';

/** What a claim needs, and the parameters of its class. */
export interface ClaimNeed {
  readonly need: VolumeNeed;
  readonly parameters: ClassParameters;
}

const singleNodeModes = ['ReadWriteOnce', 'ReadWriteOncePod'];

/** What an unbound claim of a class of ours needs, or why nothing can be made for it. */
export function usableClaim(
  claim: Claim,
  text: string,
  volumeClass: VolumeClass,
): Result<ClaimNeed, PodRefusal> {
  if (claim.hasSelector) {
    return unusable(
      `claim ${text} has a selector, which class ${volumeClass.name} does not support`,
    );
  }
  const mode = claim.accessModes.find((one) => !singleNodeModes.includes(one));
  if (mode !== undefined) {
    return unusable(
      `claim ${text} asks for accessMode ${mode}: a local volume allows ${singleNodeModes.join(' or ')}`,
    );
  }
  return needOf({ text, uid: claim.ref.uid }, volumeClass, claim);
}

/** The same for a claim that may not exist yet. */
export function needOf(
  { text: claim, uid: claimUid }: { readonly text: string; readonly uid: string },
  volumeClass: VolumeClass,
  { requested, volumeMode }: Pick<Claim, 'requested' | 'volumeMode'>,
): Result<ClaimNeed, PodRefusal> {
  const { parameters, name, waitsForPod } = volumeClass;
  if (!waitsForPod) {
    const message = `class ${name} has volumeBindingMode Immediate: WaitForFirstConsumer is required`;
    return err({ kind: 'class-unusable', message });
  }
  if (!parameters.ok) {
    return err({ kind: 'class-unusable', message: `class ${name}: ${parameters.error}` });
  }
  if (!requested.ok) {
    return unusable(`claim ${claim}: ${requested.error}`);
  }
  const { pool, placement, ioLimits, mkfsOptions, encryption } = parameters.value;
  const need = {
    claimUid,
    claim,
    pool,
    placement,
    bytes: requested.value,
    volumeMode,
    ...(ioLimits && { ioLimits }),
    ...(encryption && { encryption }),
    ...whenFilesystem(volumeMode, mkfsOptions),
  };
  return ok({ need, parameters: parameters.value });
}

/** A raw device is handed over as it is: what a class says of filesystems is not for it. */
function whenFilesystem(
  volumeMode: VolumeMode,
  mkfsOptions: readonly string[] | undefined,
): Pick<VolumeNeed, 'mkfsOptions'> {
  return volumeMode === 'Filesystem' && mkfsOptions ? { mkfsOptions } : {};
}

export function unusable(message: string): Result<never, PodRefusal> {
  return err({ kind: 'claim-unusable', message });
}

/** Kubelet could never mount it. What is there already, as data that is adopted, has its filesystem. */
export function refuseTooSmall(
  { need, parameters }: ClaimNeed,
  lookup: Lookup,
): Result<never, PodRefusal> | undefined {
  const { fsType } = parameters;
  const why = whyTooSmall(need.bytes, { volumeMode: need.volumeMode, fsType });
  return why !== undefined && lookup.volumeForm(need.pool) === 'device'
    ? unusable(`claim ${need.claim} is too small: ${why}`)
    : undefined;
}
