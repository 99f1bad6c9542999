import { claimText, type Claim } from '../model/claim.ts';
import { apiVersion } from '../model/names.ts';
import type { LocalVolume } from '../model/volume.ts';
import type { ClaimStore, PersistentVolume } from './cluster.ts';
import { giveBack } from './give-back.ts';
import { handOverAdopted, isAdoption, type HandOverPorts } from './hand-over-adopted.ts';
import type { Now, ObjectRef } from './ports.ts';

export interface ReleasePorts extends HandOverPorts {
  readonly claims: ClaimStore;
  readonly now: Now;
  /** After this long a LocalVolume without PersistentVolume was left behind by a broken bind. */
  readonly abandonedAfterMs: number;
}

interface Ports extends ReleasePorts {
  /**
   * When this process first saw a volume that nothing points at, by its own clock: the clock
   * of the API server may be another one, and a bind may be under way.
   */
  readonly unusedSince: Map<string, number>;
}

/**
 * Brings a LocalVolume and the PersistentVolume of its name to their end, once nobody can use
 * the data any more.
 *
 *     claim gone (seen live) -> LocalVolume marked deleted -> control's finalizer falls
 *       -> the agent erases and removes -> LocalVolume gone -> PersistentVolume gone
 *
 * @returns milliseconds after which to look again, or nothing
 */
export function releaseVolume(given: ReleasePorts) {
  const ports: Ports = { ...given, unusedSince: new Map() };
  return async (name: string): Promise<number | undefined> => {
    const volume = ports.volumes.get(name);
    if (!volume || volume.published) {
      ports.unusedSince.delete(name);
    }
    const persistentVolume = ports.persistentVolumes.get(name);
    if (volume) {
      return releaseExisting(volume, persistentVolume, ports);
    }
    if (persistentVolume) {
      await removeOrphaned(persistentVolume, ports);
    }
    return undefined;
  };
}

async function releaseExisting(
  volume: LocalVolume,
  persistentVolume: PersistentVolume | undefined,
  ports: Ports,
): Promise<number | undefined> {
  if (volume.deleting && !volume.heldByControl) {
    return undefined;
  }
  const claim = await claimOf(volume, ports);
  if (claim) {
    return keepForClaim(volume, persistentVolume, claim, ports);
  }
  if (!volume.deleting && !(await mayTakeBack(volume, ports))) {
    return undefined;
  }
  if (volume.deleting || (await markDeleted(volume, ports))) {
    await ports.volumes.releaseToAgent(volume);
    ports.log.info('volume released to its agent', { volume: volume.name, node: volume.spec.node });
  }
  return undefined;
}

/**
 * Whether the end of the claim is the end of the data. With `Retain` it is not: the LocalVolume
 * stays, even after its PersistentVolume, until somebody deletes it by hand. A PersistentVolume
 * that still says Bound waits for the PV controller, which will say Released.
 *
 * The policy is read live: somebody may have changed it to Retain a moment ago, to save the data.
 */
async function mayTakeBack(
  volume: LocalVolume,
  { persistentVolumes, volumes }: Ports,
): Promise<boolean> {
  const persistentVolume = await persistentVolumes.read(volume.name);
  if (!persistentVolume) {
    return volume.retained !== true;
  }
  const { reclaimPolicy, phase, deleting } = persistentVolume;
  if (reclaimPolicy !== 'Retain') {
    return phase !== 'Bound' || deleting;
  }
  if (deleting && (volume.retained === true || (await volumes.markRetained(volume)))) {
    await persistentVolumes.remove(persistentVolume);
  }
  return false;
}

/** Memory may not know yet that the volume is retained: what is there now decides. */
async function markDeleted(volume: LocalVolume, { volumes }: Ports): Promise<boolean> {
  const now = await volumes.read(volume.name);
  if (now?.uid !== volume.uid) {
    return false;
  }
  return now.deleting || (now.retained !== true && (await volumes.markDeleted(now)));
}

/**
 * The claim that the volume was made for; nothing where it is gone. Memory is enough to know that
 * it lives: should it be late, the end will be heard of. Who gets adopted data is read live.
 */
async function claimOf({ spec }: LocalVolume, { claims }: Ports): Promise<Claim | undefined> {
  const { namespace, name, uid } = spec.claimRef;
  const known = spec.adopts ? undefined : claims.get(namespace, name);
  if (known?.ref.uid === uid) {
    return known;
  }
  const claim = await claims.read(namespace, name);
  return claim?.ref.uid === uid ? claim : undefined;
}

/** The claim lives. Only a volume that was never handed to it may go. */
async function keepForClaim(
  volume: LocalVolume,
  persistentVolume: PersistentVolume | undefined,
  claim: Claim,
  ports: Ports,
): Promise<number | undefined> {
  if (volume.deleting) {
    return endDeletedByHand(volume, ports);
  }
  if (!persistentVolume && isAdoption(volume, claim)) {
    return handOverAdopted(volume, claim, ports);
  }
  if (persistentVolume?.deleting === true) {
    await letGoUnbound(persistentVolume, ports);
  }
  return volume.published || persistentVolume ? undefined : keepForBind(volume, ports);
}

/** A bind may be under way; one that takes too long has broken off. */
async function keepForBind(volume: LocalVolume, ports: Ports): Promise<number | undefined> {
  const now = ports.now();
  const since = ports.unusedSince.get(volume.name) ?? now;
  ports.unusedSince.set(volume.name, since);
  const ageMs = now - since;
  if (ageMs < ports.abandonedAfterMs) {
    return ports.abandonedAfterMs - ageMs + 1_000;
  }
  if (await giveBack(volume, ports.volumes)) {
    ports.log.info('volume of a broken bind given back', { volume: volume.name });
    return undefined;
  }
  // The volume it follows is published, or is about to be given back itself.
  return volume.follows ? ports.abandonedAfterMs : undefined;
}

/**
 * Deleted by hand before its claim was bound to it. The PV controller passes such a one over, so it
 * makes way for a new one. It is marked Bound before its claim is: at this version nobody has it.
 */
async function letGoUnbound(known: PersistentVolume, ports: Ports): Promise<void> {
  const now = await ports.persistentVolumes.read(known.name);
  if (now?.deleting && now.heldByControl && ['Pending', 'Available'].includes(now.phase)) {
    await ports.persistentVolumes.letGo(now);
  }
}

async function endDeletedByHand(volume: LocalVolume, ports: Ports): Promise<undefined> {
  if (!volume.published) {
    await ports.volumes.releaseToAgent(volume);
    return undefined;
  }
  const claim = claimText(volume.spec.claimRef);
  ports.events.warning(
    volumeRef(volume),
    'BerthVolumeInUse',
    `marked deleted, but claim ${claim} still owns the data: nothing is erased before the claim is deleted`,
  );
  return undefined;
}

/** Nothing is on disk any more. A PersistentVolume that no claim can use is only a shell. */
async function removeOrphaned(known: PersistentVolume, ports: Ports): Promise<void> {
  if (!known.ours || !known.heldByControl) {
    return;
  }
  const [volume, now] = await Promise.all([
    ports.volumes.read(known.name),
    ports.persistentVolumes.read(known.name),
  ]);
  if (!volume && now?.uid === known.uid && isShell(now)) {
    await ports.persistentVolumes.remove(now);
  }
}

function isShell({ phase, deleting, reclaimPolicy }: PersistentVolume): boolean {
  return deleting || (phase === 'Released' && reclaimPolicy !== 'Retain');
}

function volumeRef({ name, uid }: LocalVolume): ObjectRef {
  return { apiVersion, kind: 'LocalVolume', name, uid };
}
