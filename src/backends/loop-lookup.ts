import { formatBytes } from '../model/bytes.ts';
import {
  ForeignVolumeError,
  type BackendVolume,
  type Stray,
  type VolumeRequest,
} from '../usecases/ports.ts';
import type { VolumeIdentity } from '../model/volume.ts';
import type { ImageHeader } from './loop-header.ts';
import { readImage, type Image } from './loop-images.ts';

/** Where the images of one pool are. */
export interface Place {
  readonly directory: string;
  readonly pool: string;
}

/** An image that is proven to be the volume it is named after. */
export interface OwnImage extends Image {
  readonly volume: BackendVolume;
  /** Its header. */
  readonly own: ImageHeader;
}

/** @returns nothing where there is no such file, and why it is no volume where it is none */
export async function lookAt(place: Place, name: string): Promise<OwnImage | Stray | undefined> {
  const image = await readImage(place.directory, name);
  if (image === undefined) {
    return undefined;
  }
  const { header, size, path, says } = image;
  const stray = { name, bytes: size, ...(says && { says }) };
  if (!header.ok) {
    return { ...stray, reason: `${path}: ${header.error}` };
  }
  const { volumeUid, bytes, pool } = header.value;
  if (pool !== place.pool) {
    return { ...stray, reason: `${path}: its header says that it belongs to pool ${pool}` };
  }
  return { ...image, own: header.value, volume: { name, volumeUid, bytes, allocatedBytes: size } };
}

/** @throws ForeignVolumeError when the file is no volume of this pool */
export async function recognise(place: Place, name: string): Promise<OwnImage | undefined> {
  const found = await lookAt(place, name);
  if (found !== undefined && 'reason' in found) {
    throw new ForeignVolumeError(`${found.reason}; it is left as it is`);
  }
  return found;
}

/** @throws ForeignVolumeError when the file is another volume, or none */
export async function ownImage(
  place: Place,
  { name, volumeUid }: VolumeIdentity,
): Promise<OwnImage | undefined> {
  const found = await recognise(place, name);
  if (found !== undefined && found.volume.volumeUid !== volumeUid) {
    throw new ForeignVolumeError(
      `${found.path} was made for a LocalVolume with uid ${found.volume.volumeUid}, not ${volumeUid}; it is left as it is`,
    );
  }
  return found;
}

/** @throws ForeignVolumeError when it has less than was asked; only growing makes it larger */
export function largeEnough(volume: BackendVolume, { name, bytes }: VolumeRequest): BackendVolume {
  if (volume.bytes < bytes) {
    throw new ForeignVolumeError(
      `${volume.name} has ${formatBytes(volume.bytes)}, ${formatBytes(bytes)} are asked for ${name}`,
    );
  }
  return volume;
}
