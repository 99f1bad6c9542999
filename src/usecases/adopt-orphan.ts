import { formatBytes, type Bytes } from '../model/bytes.ts';
import { claimText, isOurs, type Claim, type VolumeClass } from '../model/claim.ts';
import { usableBytesOf } from '../model/encryption.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { ClassParameters } from '../model/storage-class.ts';
import type { VolumeIdentity, VolumeSpec } from '../model/volume.ts';
import type { OrphanStanding } from './node-ports.ts';

/** An orphan that was a volume, so that it can become one again. */
export interface AdoptableOrphan extends VolumeIdentity {
  readonly node: string;
  readonly pool: string;
  readonly usableBytes: Bytes;
}

/** @returns the orphan, or why nobody can adopt it */
export function adoptable(node: string, orphan: OrphanStanding): Result<AdoptableOrphan, string> {
  const { pool, name, volumeUid, usableBytes, reason } = orphan;
  return volumeUid === undefined || usableBytes === undefined
    ? err(`${name} cannot be adopted, only purged: ${reason}`)
    : ok({ node, pool, name, volumeUid, usableBytes });
}

/**
 * Whether volumes of a class can be what the orphan is.
 *
 * @param className - as it was asked for
 */
export function checkAdoptingClass(
  orphan: AdoptableOrphan,
  className: string,
  volumeClass: VolumeClass | undefined,
): Result<ClassParameters, string> {
  if (!volumeClass) {
    return err(`class "${className}" does not exist`);
  }
  if (!isOurs(volumeClass)) {
    return err(
      `class ${className} is not one of Berth: its provisioner is ${volumeClass.provisioner}`,
    );
  }
  const { parameters } = volumeClass;
  if (!parameters.ok) {
    return err(`class ${className}: ${parameters.error}`);
  }
  return parameters.value.pool === orphan.pool
    ? parameters
    : err(
        `class ${className} is of pool ${parameters.value.pool}, the orphan is in pool ${orphan.pool}`,
      );
}

/** What a claim of that class can have of it: a header takes its part. */
export function asClass(
  orphan: AdoptableOrphan,
  { encryption }: Pick<ClassParameters, 'encryption'>,
): AdoptableOrphan {
  return { ...orphan, usableBytes: usableBytesOf({ bytes: orphan.usableBytes, encryption }) };
}

const singleNodeModes = ['ReadWriteOnce', 'ReadWriteOncePod'];

/** Whether a claim that exists can have the orphan for its volume. */
export function checkAdoptingClaim(
  orphan: AdoptableOrphan,
  claim: Claim,
): Result<undefined, string> {
  const text = `claim ${claimText(claim.ref)}`;
  const mode = claim.accessModes.find((one) => !singleNodeModes.includes(one));
  if (claim.deleting || claim.lost) {
    return err(`${text} ${claim.deleting ? 'is being deleted' : 'has lost its volume'}`);
  }
  if (claim.volumeName !== '') {
    return err(`${text} has its volume already: ${claim.volumeName}`);
  }
  if (claim.hasSelector) {
    return err(`${text} has a selector: it must have none`);
  }
  if (mode !== undefined) {
    return err(`${text} asks for accessMode ${mode}: allowed are ${singleNodeModes.join(' and ')}`);
  }
  if (!claim.requested.ok) {
    return err(`${text}: ${claim.requested.error}`);
  }
  return claim.requested.value <= orphan.usableBytes
    ? ok(undefined)
    : err(
        `${text} asks for ${formatBytes(claim.requested.value)}, the orphan has ${formatBytes(orphan.usableBytes)}: volumes do not grow`,
      );
}

/** The LocalVolume that the orphan becomes. */
export function adoptingSpec(
  { node, pool, name, volumeUid, usableBytes }: AdoptableOrphan,
  { ref: claimRef, volumeMode }: Claim,
  { fsType, erase, onNodeLost, onDiskFailure, ioLimits, encryption }: ClassParameters,
): VolumeSpec {
  const adopts = { name, volumeUid };
  const where = { node, pool, bytes: usableBytes };
  const asked = {
    ...{ erase, onNodeLost, onDiskFailure },
    ...(ioLimits && { ioLimits }),
    ...(encryption && { encryption }),
  };
  return { ...where, volumeMode, fsType, claimRef, ...asked, adopts };
}
