import { lstat, rename } from 'node:fs/promises';
import type { VolumeIdentity } from '../../model/volume.ts';
import { ifThere, syncDirectory } from '../../platform/files.ts';
import type { Folder } from './folder-lookup.ts';
import { folderNames, folderPath, recordPath, type Place } from './folder-place.ts';
import { encodeRecord, readRecord, replaceFile } from './folder-record.ts';

/**
 * Gives a volume another name and uid. Its record goes first and says which name the folder had,
 * so that the next start can tell a folder that was cut off here from one that somebody renamed.
 */
export async function renameFolder(
  place: Place,
  { path, record }: Folder,
  { name, volumeUid }: VolumeIdentity,
): Promise<void> {
  const adoptedFrom = record.name === name ? undefined : record.name;
  const next = { ...record, name, volumeUid, adoptedFrom };
  await replaceFile(recordPath(path), encodeRecord(next));
  if (adoptedFrom !== undefined) {
    await rename(path, folderPath(place, name));
    await syncDirectory(place.directory);
  }
}

/** Finishes what was cut off between the record and the name of a folder. */
export async function finishAdoptions(place: Place): Promise<void> {
  for (const found of await folderNames(place)) {
    const path = folderPath(place, found);
    const record = await readRecord(recordPath(path));
    if (!record.ok || record.value.pool !== place.pool || record.value.adoptedFrom !== found) {
      continue;
    }
    const wanted = folderPath(place, record.value.name);
    if ((await ifThere(lstat(wanted))) === undefined) {
      await ifThere(rename(path, wanted));
      await syncDirectory(place.directory);
    }
  }
}
