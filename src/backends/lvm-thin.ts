import { NoSpaceError } from '../model/errors.ts';
import { isReadOnly } from '../model/lvm-state.ts';
import { PoolUnusableError } from '../usecases/ports.ts';
import type { Group, LogicalVolume } from './lvm-look.ts';
import type { ThinOptions } from './lvm-thin-options.ts';
import type { RunLvm } from './lvm-run.ts';
import { ourTag, partialTag, poolTag, recogniseAll, thinPoolTag } from './lvm-volumes.ts';

/** The volume that thin volumes are parts of. */
export const thinPoolName = 'berth-thin';

/**
 * Makes sure that the thin pool is there, is active, and is as big as its options say by now: it
 * grows with its volume group, and never shrinks.
 *
 * @returns whether anything was done
 */
export async function settleThinPool(
  { lvm, pool }: { readonly lvm: RunLvm; readonly pool: string },
  group: Group,
  options: ThinOptions,
): Promise<boolean> {
  const wanted = extentsFor(group, options);
  const { thinPool } = recogniseAll(group, pool);
  if (thinPool === undefined) {
    await createThinPool(lvm, pool, { group: group.name, extents: wanted });
    return true;
  }
  const isGrown = await growThinPool(lvm, group, thinPool, wanted);
  if (!thinPool.isActive) {
    await lvm(['lvchange', '--activate', 'y', `${group.name}/${thinPool.name}`]);
  }
  return isGrown || !thinPool.isActive;
}

function extentsFor({ disks, extentBytes }: Group, { size }: ThinOptions): number {
  const all = disks.reduce((sum, { extents }) => sum + extents, 0);
  return 'part' in size ? Math.floor(all * size.part) : Math.ceil(size.bytes / extentBytes);
}

async function createThinPool(
  lvm: RunLvm,
  pool: string,
  { group, extents }: { readonly group: string; readonly extents: number },
): Promise<void> {
  const tags = [ourTag, poolTag(pool), thinPoolTag, partialTag].flatMap((tag) => ['--addtag', tag]);
  const size = ['--extents', String(extents), '--zero', 'y', '--discards', 'passdown'];
  try {
    await lvm([
      ...['lvcreate', '--yes', '--type', 'thin-pool', '--name', thinPoolName],
      ...size,
      ...tags,
      group,
    ]);
  } catch (error) {
    throw error instanceof NoSpaceError
      ? new PoolUnusableError(
          `lvm.thin.size: volume group ${group} has no room for a thin pool of ${extents} extents beside what is in it; a smaller size is allowed`,
        )
      : error;
  }
  await lvm(['lvchange', '--deltag', partialTag, `${group}/${thinPoolName}`]);
}

async function growThinPool(
  lvm: RunLvm,
  { name, disks, extentBytes }: Group,
  thinPool: LogicalVolume,
  wanted: number,
): Promise<boolean> {
  const free = disks.reduce((sum, { isOpen, freeExtents }) => sum + (isOpen ? freeExtents : 0), 0);
  const more = wanted - Math.floor(thinPool.bytes / extentBytes);
  const isWhole = disks.every(({ isMissing }) => !isMissing) && !isReadOnly(thinPool);
  if (more <= 0 || more > free || !isWhole) {
    return false;
  }
  await lvm(['lvextend', '--extents', `+${more}`, `${name}/${thinPool.name}`]);
  return true;
}
