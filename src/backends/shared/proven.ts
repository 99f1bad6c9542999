import { formatBytes } from '../../model/bytes.ts';
import type { VolumeIdentity } from '../../model/volume.ts';
import {
  ForeignVolumeError,
  type BackendVolume,
  type VolumeRequest,
} from '../../usecases/ports.ts';

/** Something on disk that is proven to be the volume it is named after. */
export interface Proven {
  readonly volume: BackendVolume;
}

/** @throws ForeignVolumeError when it has less than was asked; only growing makes it larger */
export function largeEnough<P extends Proven>(found: P, { name, bytes }: VolumeRequest): P {
  const { volume } = found;
  if (volume.bytes < bytes) {
    throw new ForeignVolumeError(
      `${volume.name} has ${formatBytes(volume.bytes)}, ${formatBytes(bytes)} are asked for ${name}`,
    );
  }
  return found;
}

/**
 * @param where - names what was found, for people
 * @throws ForeignVolumeError when it is a namesake of the volume that was asked for
 */
export function ofUid<P extends Proven>(
  found: P | undefined,
  { volumeUid }: VolumeIdentity,
  where: (found: P) => string,
): P | undefined {
  if (found !== undefined && found.volume.volumeUid !== volumeUid) {
    throw new ForeignVolumeError(
      `${where(found)} was made for a LocalVolume with uid ${found.volume.volumeUid}, not ${volumeUid}; it is left as it is`,
    );
  }
  return found;
}

/** What there is to do so that one volume becomes another. */
export interface Adoption<P extends Proven> {
  readonly isDone: boolean;
  readonly found: P;
}

/**
 * Decides how the volume `from` becomes the volume `to`.
 *
 * @param heir - what has the name of `to` now
 * @param own - looks for the volume `from`
 * @throws ForeignVolumeError when it cannot be done
 */
export async function planAdoption<P extends Proven>(
  heir: P | undefined,
  own: (from: VolumeIdentity) => P | undefined | Promise<P | undefined>,
  { from, to }: { readonly from: VolumeIdentity; readonly to: VolumeRequest },
): Promise<Adoption<P>> {
  if (heir?.volume.volumeUid === to.volumeUid) {
    return { isDone: true, found: largeEnough(heir, to) };
  }
  if (heir !== undefined && to.name !== from.name) {
    throw new ForeignVolumeError(
      `${to.name} was made for a LocalVolume with uid ${heir.volume.volumeUid}: nothing takes its place`,
    );
  }
  const found = await own(from);
  if (found === undefined) {
    throw new ForeignVolumeError(`${from.name} is not there: there is nothing to adopt`);
  }
  return { isDone: false, found: largeEnough(found, to) };
}
