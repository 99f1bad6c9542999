import {
  ForeignVolumeError,
  type BackendVolume,
  type PoolInventory,
  type Stray,
} from '../usecases/ports.ts';
import type { VolumeIdentity } from '../model/volume.ts';
import type { ImageHeader } from './loop-header.ts';
import { imageNames, readImage, type Image } from './loop-images.ts';
import { ofUid } from './shared/proven.ts';

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

/** Everything in the pool that has the form of a volume. */
export async function lookAtAll(place: Place): Promise<PoolInventory> {
  const names = await imageNames(place.directory);
  const all = await Promise.all(names.map((name) => lookAt(place, name)));
  const found = all.filter((each) => each !== undefined);
  return {
    volumes: found.filter((each) => 'volume' in each).map(({ volume }) => volume),
    strays: found.filter((each) => 'reason' in each),
  };
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
  identity: VolumeIdentity,
): Promise<OwnImage | undefined> {
  return ofUid(await recognise(place, identity.name), identity, ({ path }) => path);
}
