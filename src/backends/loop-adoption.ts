import { lstat, rename } from 'node:fs/promises';
import type { VolumeIdentity } from '../model/volume.ts';
import { ifThere, syncDirectory } from '../platform/files.ts';
import { imageNames, imagePath, readHeader, writeHeader } from './loop-images.ts';
import type { OwnImage, Place } from './loop-lookup.ts';

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
