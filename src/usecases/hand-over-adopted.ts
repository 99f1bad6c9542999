import { claimText, type Claim } from '../model/claim.ts';
import type { LocalVolume } from '../model/volume.ts';
import type { Lookup, PersistentVolumeStore, VolumeStore } from './cluster.ts';
import type { EventSink, Log } from './ports.ts';

export interface HandOverPorts {
  readonly volumes: VolumeStore;
  readonly persistentVolumes: PersistentVolumeStore;
  readonly lookup: Pick<Lookup, 'volumeClass'>;
  readonly events: EventSink;
  readonly log: Log;
}

/**
 * Whether the volume is on its way to give data back to a claim that can still take it. It needs
 * no pod, and may wait as long as it takes; one that its agent could not make is given back.
 */
export function isAdoption({ spec, status }: LocalVolume, claim: Claim): boolean {
  const canTake = claim.volumeName === '' && !claim.deleting;
  return spec.adopts !== undefined && canTake && status.phase !== 'Failed';
}

/**
 * Makes the PersistentVolume that binds the claim to the data it adopts, as soon as the agent
 * has them ready. May be repeated after any break.
 */
export async function handOverAdopted(
  { name, uid, spec, status }: LocalVolume,
  claim: Claim,
  { volumes, persistentVolumes, lookup, events, log }: HandOverPorts,
): Promise<number | undefined> {
  if (status.phase !== 'Ready') {
    return undefined;
  }
  const volumeClass = await lookup.volumeClass(claim.className);
  if (!volumeClass) {
    const about = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', ...claim.ref };
    const text = `claim ${claimText(claim.ref)} cannot have its data back: its class ${claim.className ?? ''} does not exist`;
    events.warning(about, 'BerthAdoptionWaits', text);
    return classAgainMs;
  }
  const volume = await volumes.read(name);
  if (volume?.uid !== uid || volume.deleting) {
    return undefined;
  }
  if (!volume.published && !(await volumes.markPublished(volume))) {
    return changedAgainMs;
  }
  await persistentVolumes.ensure(volume, claim, volumeClass);
  log.info('adopted data handed to their claim', { volume: name, node: spec.node });
  return undefined;
}

const classAgainMs = 60_000;
/** The agent wrote its status in between. */
const changedAgainMs = 500;
