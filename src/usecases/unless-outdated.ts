import type { LocalVolume } from '../model/volume.ts';
import type { VolumeStore } from './cluster.ts';

/** A status write of the agent may have come between; then what is there now decides. */
export async function unlessOutdated(
  seen: LocalVolume,
  volumes: VolumeStore,
  mark: (volume: LocalVolume) => Promise<boolean>,
): Promise<boolean> {
  if (await mark(seen)) {
    return true;
  }
  const now = await volumes.read(seen.name);
  if (now?.uid !== seen.uid || now.deleting) {
    return false;
  }
  return now.published || mark(now);
}
