import { volumeName } from '../model/names.ts';
import { ok, type Result } from '../model/result.ts';
import type { LocalVolume } from '../model/volume.ts';
import { allSettled } from './all-settled.ts';
import type { PersistentVolumeStore, VolumeStore } from './cluster.ts';
import { changedMeanwhile, type ProvisionFailure } from './provision-failure.ts';
import type { UnboundClaim } from './resolve-needs.ts';
import { unlessOutdated } from './unless-outdated.ts';

interface Ports {
  readonly volumes: VolumeStore;
  readonly persistentVolumes: PersistentVolumeStore;
}

/**
 * Publishes the Ready volumes of a pod and makes their PersistentVolumes. The first one is
 * published before any other: until then all of them can be given back, and after that none.
 */
export async function handOverAll(
  claims: readonly UnboundClaim[],
  made: readonly LocalVolume[],
  ports: Ports,
): Promise<Result<void, ProvisionFailure>> {
  const [first] = made;
  const published = first ? await publish(first, ports) : ok(undefined);
  if (!published.ok) {
    return published;
  }
  const handed = await allSettled(claims.map((one) => handOver(one, made, ports)));
  return handed.find((one) => !one.ok) ?? ok(undefined);
}

async function handOver(
  { claim, volumeClass }: UnboundClaim,
  made: readonly LocalVolume[],
  ports: Ports,
): Promise<Result<void, ProvisionFailure>> {
  const name = volumeName(claim.ref.uid);
  const mine = made.find((one) => one.name === name);
  const published = mine ? await publish(mine, ports) : changedMeanwhile(name);
  if (!published.ok) {
    return published;
  }
  const volume = ports.volumes.get(name);
  if (!volume || volume.uid !== mine?.uid) {
    return changedMeanwhile(name);
  }
  await ports.persistentVolumes.ensure(volume, claim, volumeClass);
  return ok(undefined);
}

/** Another call for the claim may have given the volume back since it was Ready, and made a new one. */
async function publish(
  { name, uid }: LocalVolume,
  { volumes }: Ports,
): Promise<Result<void, ProvisionFailure>> {
  const seen = volumes.get(name);
  const done =
    seen?.uid === uid &&
    !seen.deleting &&
    (seen.published || (await unlessOutdated(seen, volumes, (one) => volumes.markPublished(one))));
  return done ? ok(undefined) : changedMeanwhile(name);
}
