import { lstat } from 'node:fs/promises';
import { bytes, type Bytes } from '../../model/bytes.ts';
import type { VolumeIdentity } from '../../model/volume.ts';
import { ifThere } from '../../platform/files.ts';
import { ForeignVolumeError, type BackendVolume } from '../../usecases/ports.ts';
import { dataPath, folderPath, recordPath, type Place } from './folder-place.ts';
import { ofUid } from './proven.ts';
import { readRecord, type FolderRecord } from './folder-record.ts';

/** A folder that is proven to be the volume it is named after. */
export interface Folder {
  readonly path: string;
  readonly record: FolderRecord;
  readonly volume: BackendVolume;
}

/** Something with the name of a volume that cannot be recognised as one. */
export interface UnclearFolder {
  readonly name: string;
  readonly path: string;
  readonly kind: 'directory' | 'other';
  readonly reason: string;
  /** What it says of itself, where that is whole: not proven. */
  readonly record?: FolderRecord | undefined;
}

/**
 * @returns nothing where there is nothing of that name; nothing also for a folder that is just on
 * its way to another name, under which it is found in a moment
 */
export async function lookAt(
  place: Place,
  name: string,
): Promise<Folder | UnclearFolder | undefined> {
  const path = folderPath(place, name);
  const stat = await ifThere(lstat(path));
  if (stat === undefined) {
    return undefined;
  }
  if (!stat.isDirectory()) {
    return { name, path, kind: 'other', reason: `${path}: it is not a directory` };
  }
  const read = await readRecord(recordPath(path));
  const unclear = (why: string, record?: FolderRecord): UnclearFolder => {
    return { name, path, kind: 'directory', reason: `${path}: ${why}`, record };
  };
  if (!read.ok) {
    // It may have been taken away between the two looks.
    return (await ifThere(lstat(path))) && unclear(read.error);
  }
  const record = read.value;
  if (record.name !== name) {
    return (await isMoving(place, name, record))
      ? undefined
      : unclear(`its volume.json says that it is ${record.name}`, record);
  }
  if (record.pool !== place.pool) {
    return unclear(`its volume.json says that it belongs to pool ${record.pool}`, record);
  }
  const why = await whyNotData(place, path);
  return why === undefined ? { path, record, volume: toVolume(record) } : unclear(why, record);
}

async function isMoving(place: Place, name: string, record: FolderRecord): Promise<boolean> {
  const isTaken = await ifThere(lstat(folderPath(place, record.name)));
  return record.adoptedFrom === name && isTaken === undefined;
}

async function whyNotData(place: Place, folder: string): Promise<string | undefined> {
  const stat = await ifThere(lstat(dataPath(folder), { bigint: true }));
  if (stat === undefined) {
    return 'its data is not there';
  }
  return stat.isDirectory() ? place.whyNotData(stat) : 'its data is not a directory';
}

function toVolume({ name, volumeUid, bytes: size }: FolderRecord): BackendVolume {
  return { name, volumeUid, bytes: size, allocatedBytes: allocatedFor(size) };
}

/** Volumes are counted in whole blocks of every usual filesystem. */
export const blockBytes = 4096;

/** What a volume of `wanted` usable bytes occupies of a pool of folders, and what its limit is. */
export function allocatedFor(wanted: Bytes): Bytes {
  return bytes(Math.ceil(wanted / blockBytes) * blockBytes);
}

/** @throws ForeignVolumeError when what stands there is no volume of this pool */
export async function recognise(place: Place, name: string): Promise<Folder | undefined> {
  const found = await lookAt(place, name);
  if (found !== undefined && 'reason' in found) {
    throw new ForeignVolumeError(`${found.reason}; it is left as it is`);
  }
  return found;
}

/** @throws ForeignVolumeError when what stands there is another volume, or none */
export async function ownFolder(
  place: Place,
  identity: VolumeIdentity,
): Promise<Folder | undefined> {
  return ofUid(await recognise(place, identity.name), identity, ({ path }) => path);
}
