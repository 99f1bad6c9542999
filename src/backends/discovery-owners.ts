import { stat } from 'node:fs/promises';
import type { Disk } from '../model/disk.ts';
import { deviceNumber } from '../platform/device-facts.ts';
import { ifThere } from '../platform/files.ts';
import type { Mount } from '../platform/mount-points.ts';
import { extentOfDirectory, overlap, type Extent } from './discovery-medium.ts';

/** What the pools of this node that cut volumes have. */
export interface PoolsThatCut {
  /**
   * The pool that has a disk.
   *
   * @throws Error where that is not known yet
   */
  readonly whoHas: (disk: Disk) => string | undefined;
  /** Where pools keep their files. */
  readonly directories: () => readonly { readonly pool: string; readonly directory: string }[];
}

/**
 * Why what lies there is a pool's, on whole disks or below its directory.
 *
 * @throws Error where that is not known yet
 */
export type OwnerOf = (extent: Extent) => string | undefined;

export async function ownersOfMedia(
  { whoHas, directories }: PoolsThatCut,
  { mounts, disks }: { readonly mounts: readonly Mount[]; readonly disks: readonly Disk[] },
): Promise<OwnerOf> {
  const numbered = await Promise.all(
    disks.map(async (disk) => {
      const stats = await ifThere(stat(disk.path, { bigint: true }));
      return { disk, number: stats && deviceNumber(stats) };
    }),
  );
  const places = await Promise.all(
    directories().map(async ({ pool, directory }) => {
      const extent = await extentOfDirectory(directory, mounts);
      return { extent, why: `it holds ${directory} of pool ${pool}, or lies in it` };
    }),
  );
  return (extent) => {
    // Parts of a disk are the pool's as well: partitions, and what is mapped from it.
    const below = numbered.filter(({ number }) => number && extent.devices.includes(number));
    const owner = below.map(({ disk }) => whoHas(disk)).find((one) => one !== undefined);
    return owner === undefined
      ? places.find((place) => place.extent && overlap(place.extent, extent))?.why
      : `it belongs to pool ${owner}`;
  };
}
