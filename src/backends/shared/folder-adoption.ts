import { lstat, rename } from 'node:fs/promises';
import { formatBytes } from '../../model/bytes.ts';
import type { VolumeIdentity } from '../../model/volume.ts';
import { ifThere, syncDirectory } from '../../platform/files.ts';
import { ForeignVolumeError, type VolumeRequest } from '../../usecases/ports.ts';
import { ownFolder, recognise, type Folder } from './folder-lookup.ts';
import { folderNames, folderPath, recordPath, type Place } from './folder-place.ts';
import { encodeRecord, readRecord, replaceFile } from './folder-record.ts';

/** What there is to do so that the folder `from` becomes `to`. */
export interface Adoption {
  readonly kind: 'done' | 'wanted';
  readonly folder: Folder;
}

/** @throws ForeignVolumeError when it cannot be done */
export async function planAdoption(
  place: Place,
  from: VolumeIdentity,
  to: VolumeRequest,
): Promise<Adoption> {
  const there = await recognise(place, to.name);
  if (there?.volume.volumeUid === to.volumeUid) {
    return { kind: 'done', folder: largeEnough(there, to) };
  }
  if (there !== undefined && to.name !== from.name) {
    throw new ForeignVolumeError(
      `${there.path} was made for a LocalVolume with uid ${there.volume.volumeUid}: nothing takes its place`,
    );
  }
  const folder = await ownFolder(place, from);
  if (folder === undefined) {
    const path = folderPath(place, from.name);
    throw new ForeignVolumeError(`${path} is not there: there is nothing to adopt`);
  }
  return { kind: 'wanted', folder: largeEnough(folder, to) };
}

export function largeEnough(folder: Folder, { bytes }: VolumeRequest): Folder {
  if (folder.volume.bytes < bytes) {
    throw new ForeignVolumeError(
      `${folder.path} has ${formatBytes(folder.volume.bytes)}, ${formatBytes(bytes)} are asked: volumes do not grow`,
    );
  }
  return folder;
}

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
