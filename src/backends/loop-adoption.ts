import { lstat, rename } from 'node:fs/promises';
import type { VolumeIdentity } from '../model/volume.ts';
import { ifThere, syncDirectory } from '../platform/files.ts';
import { ForeignVolumeError, type VolumeRequest } from '../usecases/ports.ts';
import { imageNames, imagePath, readHeader, writeHeader } from './loop-images.ts';
import { largeEnough, ownImage, recognise, type OwnImage, type Place } from './loop-lookup.ts';

/** What there is to do so that the image `from` becomes `to`. */
export interface Adoption {
  readonly kind: 'done' | 'wanted';
  readonly image: OwnImage;
}

/** @throws ForeignVolumeError when it cannot be done */
export async function planAdoption(
  place: Place,
  from: VolumeIdentity,
  to: VolumeRequest,
): Promise<Adoption> {
  const there = await recognise(place, to.name);
  if (there?.volume.volumeUid === to.volumeUid) {
    return { kind: 'done', image: enough(there, to) };
  }
  if (there !== undefined && to.name !== from.name) {
    throw new ForeignVolumeError(
      `${there.path} was made for a LocalVolume with uid ${there.volume.volumeUid}: nothing takes its place`,
    );
  }
  const image = await ownImage(place, from);
  if (image === undefined) {
    const path = imagePath(place.directory, from.name);
    throw new ForeignVolumeError(`${path} is not there: there is nothing to adopt`);
  }
  return { kind: 'wanted', image: enough(image, to) };
}

function enough(image: OwnImage, to: VolumeRequest): OwnImage {
  largeEnough(image.volume, to);
  return image;
}

/**
 * Gives an image another name and uid. Its header goes first and says which name the file had, so
 * that the next start can tell an image that was cut off here from one that somebody has renamed.
 */
export async function renameImage(
  { directory }: Place,
  image: OwnImage,
  to: VolumeIdentity,
): Promise<void> {
  const { name: before } = image.volume;
  const { name, volumeUid } = to;
  const adoptedFrom = before === name ? undefined : before;
  await writeHeader(image.path, { ...image.own, name, volumeUid, adoptedFrom });
  if (adoptedFrom !== undefined) {
    await rename(image.path, imagePath(directory, name));
    await syncDirectory(directory);
  }
}

/** Finishes what was cut off between the header and the name of an image. */
export async function finishAdoptions({ directory, pool }: Place): Promise<void> {
  for (const found of await imageNames(directory)) {
    const path = imagePath(directory, found);
    const header = await readHeader(path);
    if (!header.ok || header.value.pool !== pool || header.value.adoptedFrom !== found) {
      continue;
    }
    const wanted = imagePath(directory, header.value.name);
    if ((await ifThere(lstat(wanted))) === undefined) {
      await ifThere(rename(path, wanted));
      await syncDirectory(directory);
    }
  }
}
