import { lstat, open, rename } from 'node:fs/promises';
import { formatBytes } from '../model/bytes.ts';
import type { VolumeIdentity } from '../model/volume.ts';
import { ifThere, syncDirectory } from '../platform/files.ts';
import { ForeignVolumeError, type VolumeRequest } from '../usecases/ports.ts';
import { encodeHeader, headerBytes, type ImageHeader } from './loop-header.ts';
import { imageNames, imagePath, readHeader } from './loop-images.ts';
import { ownImage, recognise, type OwnImage, type Place } from './loop-lookup.ts';

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
    return { kind: 'done', image: largeEnough(there, to) };
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
  return { kind: 'wanted', image: largeEnough(image, to) };
}

function largeEnough(image: OwnImage, { bytes }: VolumeRequest): OwnImage {
  if (image.volume.bytes < bytes) {
    throw new ForeignVolumeError(
      `${image.path} has ${formatBytes(image.volume.bytes)}, ${formatBytes(bytes)} are asked: volumes do not grow`,
    );
  }
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

async function writeHeader(path: string, header: ImageHeader): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.write(encodeHeader(header), 0, headerBytes, 0);
    await handle.sync();
  } finally {
    await handle.close();
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
