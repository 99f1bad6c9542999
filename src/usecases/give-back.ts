import { describeError } from '../model/errors.ts';
import type { LocalVolume } from '../model/volume.ts';
import type { VolumeStore } from './cluster.ts';
import type { Log } from './ports.ts';

/**
 * Gives a volume back that nothing points at, and that nobody can hand over any more.
 *
 * A volume that was made for a pod together with others goes only after the first of them has
 * gone: once that one is published the pod is tied to the node and needs this one there too.
 * Every write rests on the version that was read, so none of it can change in between.
 *
 * @returns false where it is still needed, or was changed meanwhile
 */
export async function giveBack(volume: LocalVolume, volumes: VolumeStore): Promise<boolean> {
  if (volume.published || !(await mayGo(volume, volumes))) {
    return false;
  }
  if (!volume.deleting && !(await volumes.markDeleted(volume))) {
    return false;
  }
  await volumes.releaseToAgent(volume);
  return true;
}

async function mayGo({ follows }: LocalVolume, volumes: VolumeStore): Promise<boolean> {
  if (!follows) {
    return true;
  }
  const first = await volumes.read(follows.name);
  return first?.uid !== follows.uid || first.deleting;
}

/** The same for all that one attempt has made, in that order: the first decides for the others. */
export async function giveBackAll(
  made: readonly LocalVolume[],
  { volumes, log }: { readonly volumes: VolumeStore; readonly log: Log },
): Promise<void> {
  for (const { name, uid } of made) {
    try {
      const volume = await volumes.read(name);
      // One that adopts is not of this call's making: the loop hands it over.
      if (volume?.uid === uid && !volume.spec.adopts) {
        await giveBack(volume, volumes);
      }
    } catch (error) {
      const reason = describeError(error);
      log.warn('a volume was not given back yet, the loops will', { name, reason });
    }
  }
}
