import { formatBytes } from '../model/bytes.ts';
import type { VolumeIdentity } from '../model/volume.ts';
import { ForeignVolumeError, type BackendVolume, type VolumeRequest } from '../usecases/ports.ts';
import type { Group } from './lvm-look.ts';
import { ownVolume, recognise, type OwnVolume } from './lvm-volumes.ts';

/**
 * What there is to do so that the volume `from` becomes `to`.
 *
 * @throws ForeignVolumeError when it cannot be done
 */
export function planAdoption(
  group: Group,
  pool: string,
  from: VolumeIdentity,
  to: VolumeRequest,
): { readonly isDone: boolean; readonly found: OwnVolume } {
  const there = recognise(group, pool, to.name);
  if (there?.volume.volumeUid === to.volumeUid) {
    largeEnough(there.volume, to);
    return { isDone: true, found: there };
  }
  if (there !== undefined && to.name !== from.name) {
    throw new ForeignVolumeError(
      `${there.lv.path} was made for a LocalVolume with uid ${there.volume.volumeUid}: nothing takes its place`,
    );
  }
  const found = ownVolume(group, pool, from);
  if (found === undefined) {
    throw new ForeignVolumeError(`${from.name} is not there: there is nothing to adopt`);
  }
  largeEnough(found.volume, to);
  return { isDone: false, found };
}

/** @throws ForeignVolumeError when it is smaller than what is asked */
export function largeEnough(volume: BackendVolume, { bytes }: VolumeRequest): BackendVolume {
  if (volume.bytes < bytes) {
    throw new ForeignVolumeError(
      `${volume.name} has ${formatBytes(volume.bytes)}, ${formatBytes(bytes)} are asked: volumes do not grow`,
    );
  }
  return volume;
}
