import type { Claim } from '../model/claim.ts';
import { volumeName } from '../model/names.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { LocalVolume, VolumeSpec } from '../model/volume.ts';
import { allSettled } from './all-settled.ts';
import type { VolumeStore } from './cluster.ts';
import { changedMeanwhile, describeConflict, type ProvisionFailure } from './provision-failure.ts';
import type { UnboundClaim } from './resolve-needs.ts';
import { unlessOutdated } from './unless-outdated.ts';

/** How long the removal of an unused volume of the same claim is awaited. */
const goneTimeoutMs = 5_000;

/** Puts the volumes into `made`, the first of them in front; the others follow that one. */
export async function beginVolumes(
  claims: readonly UnboundClaim[],
  node: string,
  volumes: VolumeStore,
  made: LocalVolume[],
): Promise<Result<void, ProvisionFailure>> {
  const begin = async (one: UnboundClaim): Promise<Result<void, ProvisionFailure>> => {
    const begun = await beginOne(one, node, volumes, made[0]);
    if (begun.ok) {
      made.push(begun.value);
    }
    return begun.ok ? ok(undefined) : begun;
  };
  const [first, ...others] = claims.toSorted((a, b) => compareUids(a.claim, b.claim));
  const begun = first ? await begin(first) : ok(undefined);
  if (!begun.ok) {
    return begun;
  }
  const all = await allSettled(others.map(begin));
  return all.find((one) => !one.ok) ?? ok(undefined);
}

/** Any order will do that is the same in every attempt. */
function compareUids({ ref: a }: Claim, { ref: b }: Claim): number {
  return a.uid < b.uid ? -1 : 1;
}

async function beginOne(
  claim: UnboundClaim,
  node: string,
  volumes: VolumeStore,
  first: LocalVolume | undefined,
): Promise<Result<LocalVolume, ProvisionFailure>> {
  const spec = specOf(claim, node);
  const volume = await ensureVolume(volumeName(spec.claimRef.uid), spec, volumes, first);
  const conflict = describeConflict(volume, spec);
  if (conflict !== undefined) {
    return err({ kind: 'elsewhere', message: conflict });
  }
  const follows = !first || volume.published || volume.follows?.uid === first.uid;
  return follows || (await follow(volume, first, volumes))
    ? ok(volume)
    : changedMeanwhile(volume.name);
}

/** One that is just being given back, by an attempt on another node, is let go first. */
async function ensureVolume(
  name: string,
  spec: VolumeSpec,
  volumes: VolumeStore,
  first: LocalVolume | undefined,
): Promise<LocalVolume> {
  const volume = await volumes.ensure(name, spec, first);
  if (!volume.deleting) {
    return volume;
  }
  await volumes.waitUntil(name, (now) => now?.uid !== volume.uid, goneTimeoutMs);
  return volumes.ensure(name, spec, first);
}

/** An earlier attempt has left it, which made it alone or after another one. */
async function follow(
  volume: LocalVolume,
  first: LocalVolume,
  volumes: VolumeStore,
): Promise<boolean> {
  return unlessOutdated(volume, volumes, (seen) => volumes.markFollower(seen, first));
}

function specOf({ claim, parameters, need }: UnboundClaim, node: string): VolumeSpec {
  const { pool, fsType, erase, onNodeLost, onDiskFailure, ioLimits, encryption } = parameters;
  const { volumeMode, ref: claimRef } = claim;
  const { mkfsOptions } = need;
  const asked = {
    ...{ erase, onNodeLost, onDiskFailure },
    ...(ioLimits && { ioLimits }),
    ...(encryption && { encryption }),
    ...(mkfsOptions && { mkfsOptions }),
  };
  return { node, pool, bytes: need.bytes, volumeMode, fsType, claimRef, ...asked };
}
