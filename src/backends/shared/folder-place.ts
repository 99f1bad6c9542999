import type { BigIntStats } from 'node:fs';
import { readdir, realpath } from 'node:fs/promises';
import { errorCode } from '../../platform/files.ts';
import { PoolUnusableError } from '../../usecases/ports.ts';
import { readSmallFile, replaceFile } from './folder-record.ts';
import { checkDirectory } from './pool-directory.ts';

/** Where the folders of one pool are. */
export interface Place {
  readonly backend: string;
  readonly directory: string;
  readonly pool: string;
  /** Why something that has the name of a volume's data is not what this pool makes. */
  readonly whyNotData: (stat: BigIntStats) => string | undefined;
}

/** A folder that is not whole yet. One that stays was left by a crash. */
export const partialSuffix = '.partial';
/** A folder whose volume is gone already: its bytes are erased as asked, and all of it goes. */
export const removingSuffix = '.removing';

/** All that a pod ever sees of its volume's folder. */
export const dataName = 'data';
const recordName = 'volume.json';

export function folderPath({ directory }: Pick<Place, 'directory'>, name: string): string {
  return `${directory}/${name}`;
}

export function dataPath(folder: string): string {
  return `${folder}/${dataName}`;
}

export function recordPath(folder: string): string {
  return `${folder}/${recordName}`;
}

/** All that a volume's folder may hold; what has something else in it is not all of our making. */
export function isOurs(entry: string): boolean {
  return entry === dataName || entry === recordName || entry === `${recordName}.fresh`;
}

/** Names of everything that has the form of a volume, whatever it is. */
export async function folderNames({ directory }: Place): Promise<readonly string[]> {
  const names = await readdir(directory);
  return names.filter((name) => /^pvc-[a-z0-9-]+$/.test(name));
}

/** Names of folders that are no volume yet, or no longer. */
export async function leftovers({ directory }: Place): Promise<readonly string[]> {
  const names = await readdir(directory);
  return names.filter((name) => /^pvc-[a-z0-9-]+\.(partial|removing)$/.test(name));
}

const markName = 'pool.json';

/**
 * Makes sure that the directory is the pool's own: its mark is in it. A mount point whose disk is
 * not mounted has none, and is not filled in its place.
 *
 * @returns whether the mark is there; where it is not, the pool has had no volumes
 * @throws PoolUnusableError
 */
export async function checkPlace(place: Place, hasVolumes: boolean): Promise<boolean> {
  const { backend, directory } = place;
  await checkDirectory(backend, directory, hasVolumes);
  const field = `${backend}.directory is "${directory}"`;
  const real = await realpath(directory);
  if (real !== directory) {
    throw new PoolUnusableError(
      `${field}: that leads to ${real}; a path without symbolic links is allowed, since agent and kubelet must see the same place`,
    );
  }
  const marked = await readMark(place);
  if (marked === undefined && hasVolumes) {
    throw new PoolUnusableError(
      `${field}: volumes were made in it, and its ${markName} is not there; is its disk mounted?`,
    );
  }
  if (marked !== undefined && marked !== place.pool) {
    throw new PoolUnusableError(
      `${field}: its ${markName} says that it belongs to pool ${marked}; each pool needs its own directory`,
    );
  }
  return marked !== undefined;
}

async function readMark({ directory }: Place): Promise<string | undefined> {
  try {
    const { pool } = JSON.parse(await readSmallFile(`${directory}/${markName}`)) as {
      pool?: unknown;
    };
    return typeof pool === 'string' ? pool : '(unreadable)';
  } catch (error) {
    if (errorCode(error) === 'ENOENT') {
      return undefined;
    }
    return '(unreadable)';
  }
}

export async function writeMark({ directory, pool }: Place): Promise<void> {
  await replaceFile(`${directory}/${markName}`, `${JSON.stringify({ version: 1, pool })}\n`);
}
