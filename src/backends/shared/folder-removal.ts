import { lstat, mkdir, readdir, rename } from 'node:fs/promises';
import { describeError, NoSpaceError } from '../../model/errors.ts';
import { ifThere, syncDirectory } from '../../platform/files.ts';
import { isOutOfSpace } from '../../platform/out-of-space.ts';
import type { RunCommand } from '../../platform/run-command.ts';
import type { FolderCut } from './folder-cut.ts';
import {
  dataPath,
  folderPath,
  isOurs,
  leftovers,
  partialSuffix,
  recordPath,
  removingSuffix,
  type Place,
} from './folder-place.ts';
import { encodeRecord, readRecord, replaceFile, type FolderRecord } from './folder-record.ts';

/** How folders of one pool come and go. */
export interface FolderGround {
  readonly place: Place;
  readonly cut: FolderCut;
  readonly run: RunCommand;
}

/**
 * Makes a volume, whole or not at all: it gets its name only when record, data and limit are on
 * the medium.
 */
export async function makeFolder(
  ground: FolderGround,
  record: FolderRecord,
  signal: AbortSignal,
): Promise<void> {
  const { place, cut } = ground;
  const partial = `${folderPath(place, record.name)}${partialSuffix}`;
  await destroyFolder(ground, partial);
  try {
    await mkdir(partial, { mode: 0o700 });
    const remember = (quotaId?: number): Promise<void> =>
      replaceFile(recordPath(partial), encodeRecord({ ...record, quotaId }));
    await cut.make(dataPath(partial), record.bytes, remember, signal);
    await syncDirectory(partial);
    await rename(partial, folderPath(place, record.name));
    await syncDirectory(place.directory);
  } catch (error) {
    // What cannot be cleared away now is cleared away later, and has the name of no volume.
    await destroyFolder(ground, partial).catch(() => undefined);
    throw isOutOfSpace(error)
      ? new NoSpaceError(
          `the filesystem of ${place.directory} has no block or no inode left for a new volume (df, df -i): ${describeError(error)}`,
        )
      : error;
  }
}

/**
 * Takes a folder away for good. From its first step on it is no volume any more, so nobody ever
 * finds one with half of its data.
 */
export async function removeFolder(ground: FolderGround, name: string): Promise<void> {
  const { place } = ground;
  const aside = `${folderPath(place, name)}${removingSuffix}`;
  await destroyFolder(ground, aside);
  await rename(folderPath(place, name), aside);
  await syncDirectory(place.directory);
  await destroyFolder(ground, aside);
}

/** Goes on with a removal that was cut off, where there is one. */
export async function finishRemoval(ground: FolderGround, name: string): Promise<void> {
  await destroyFolder(ground, `${folderPath(ground.place, name)}${removingSuffix}`);
}

/** @returns why something is still there, per folder; nothing where all is gone */
export async function removeLeftovers(ground: FolderGround): Promise<readonly string[]> {
  const stuck: string[] = [];
  for (const name of await leftovers(ground.place)) {
    const path = folderPath(ground.place, name);
    try {
      await destroyFolder(ground, path);
    } catch (error) {
      stuck.push(`${path} is no volume, and cannot be cleared away: ${describeError(error)}`);
    }
  }
  return stuck;
}

async function destroyFolder({ place, cut, run }: FolderGround, path: string): Promise<void> {
  const stat = await ifThere(lstat(path));
  if (stat === undefined) {
    return;
  }
  const foreign = stat.isDirectory() ? (await readdir(path)).find((one) => !isOurs(one)) : path;
  if (foreign !== undefined) {
    throw new Error(`${foreign} in it is not Berth's: it has to be removed by hand`);
  }
  const record = await readRecord(recordPath(path));
  await cut.destroy(dataPath(path), record.ok ? record.value.quotaId : undefined);
  // The record goes last: until then the next try knows which limit to take away.
  await run('rm', ['--recursive', '--force', '--one-file-system', '--', path]);
  await syncDirectory(place.directory);
}
