import type { Bytes } from '../model/bytes.ts';
import type { Claim } from '../model/claim.ts';
import type { LocalVolume } from '../model/volume.ts';
import type { PersistentVolume } from './cluster.ts';

/** What comes next for a claim and the volume it is bound to. */
export type ExpansionStep =
  | {
      /** The claim asks for more than was ever promised. */
      readonly kind: 'promise';
      readonly bytes: Bytes;
    }
  | {
      /** The volume has grown, and its user does not know it yet. */
      readonly kind: 'publish';
      readonly bytes: Bytes;
    };

/** @returns nothing where nothing is asked, or the agent is at work */
export function nextStep({
  claim,
  volume,
  persistentVolume,
}: {
  readonly claim: Claim;
  readonly volume: LocalVolume;
  readonly persistentVolume: PersistentVolume;
}): ExpansionStep | undefined {
  const { spec, status } = volume;
  if (status.phase !== 'Ready' || status.bytes === undefined) {
    return undefined;
  }
  // What an earlier request was given is told first, since the next one may have to wait.
  if (status.bytes >= spec.bytes && !isTold(claim, persistentVolume, spec.bytes)) {
    return { kind: 'publish', bytes: spec.bytes };
  }
  return claim.requested.ok && claim.requested.value > spec.bytes
    ? { kind: 'promise', bytes: claim.requested.value }
    : undefined;
}

/** A capacity that cannot be read, or is none yet, is not ours to mend. */
function isTold(claim: Claim, { capacity }: PersistentVolume, bytes: Bytes): boolean {
  if (claim.capacity === undefined || capacity === undefined) {
    return true;
  }
  const isServed = claim.requested.ok && claim.requested.value <= bytes;
  return capacity >= bytes && claim.capacity >= bytes && !(claim.isResizing && isServed);
}
