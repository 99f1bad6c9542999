import { lstat, readdir } from 'node:fs/promises';
import { bytes } from '../../model/bytes.ts';
import { ifThere } from '../../platform/files.ts';
import type { RunCommand } from '../../platform/run-command.ts';
import { ForeignVolumeError, type Stray } from '../../usecases/ports.ts';
import { lookAt, type Folder, type UnclearFolder } from './folder-lookup.ts';
import { folderNames, isOurs, type Place } from './folder-place.ts';

/** Everything in the pool that has the form of a volume. */
export async function lookAtAll(
  place: Place,
  run: RunCommand,
): Promise<{ readonly folders: readonly Folder[]; readonly strays: readonly Stray[] }> {
  const names = await folderNames(place);
  const all = await Promise.all(names.map((name) => lookAt(place, name)));
  const found = all.filter((each) => each !== undefined);
  const unclear = found.filter((each) => 'reason' in each);
  return {
    folders: found.filter((each) => 'volume' in each),
    strays: await Promise.all(unclear.map((each) => toStray(each, run))),
  };
}

/** What is told of a thing that cannot be recognised: the size it says it has, else what it occupies. */
export async function toStray(found: UnclearFolder, run: RunCommand): Promise<Stray> {
  const { name, reason, record } = found;
  const says = record && { name: record.name, volumeUid: record.volumeUid };
  const size = record?.bytes ?? bytes(await occupied(found, run));
  return { name, reason, bytes: size, ...(says && { says }) };
}

async function occupied({ path, kind }: UnclearFolder, run: RunCommand): Promise<number> {
  if (kind === 'other') {
    return ((await ifThere(lstat(path)))?.blocks ?? 0) * 512;
  }
  const text = await run('du', ['--summarize', '--block-size=1', '--', path]);
  return Number.parseInt(text, 10);
}

/**
 * A folder may go on somebody's word when all that is in it has the names that a volume's folder
 * has, and nobody else lays claim to it.
 *
 * @throws ForeignVolumeError when it has to be removed by hand
 */
export async function removableStray(place: Place, found: UnclearFolder): Promise<void> {
  const { path, kind, record } = found;
  const byHand = (why: string): never => {
    throw new ForeignVolumeError(`${path} ${why}: it has to be removed by hand`);
  };
  if (kind === 'other') {
    byHand('is not a directory');
  }
  if (record !== undefined && record.pool !== place.pool) {
    byHand(`says that it belongs to pool ${record.pool}`);
  }
  const entries = await readdir(path);
  const foreign = entries.find((entry) => !isOurs(entry));
  if (foreign !== undefined || entries.length === 0) {
    byHand(foreign === undefined ? 'is empty' : `holds ${foreign}, which no volume has`);
  }
}
