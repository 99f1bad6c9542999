import type { LocalVolume } from '../model/volume.ts';
import type { OrphanStanding } from './node-ports.ts';
import type { PoolInventory } from './ports.ts';

export interface PoolContent {
  readonly pool: { readonly name: string; readonly healthy: boolean };
  readonly inventory: PoolInventory;
}

/**
 * What is on disk and nobody asks for. It is only shown: whoever put it there may want it back.
 *
 * A pool that cannot be read now keeps the orphans that were seen in it.
 *
 * @param before - the orphans of the last look, whose dates are kept
 */
export function findOrphans(
  contents: readonly PoolContent[],
  asked: readonly LocalVolume[],
  before: readonly OrphanStanding[],
  now: string,
): readonly OrphanStanding[] {
  const uids = new Set(asked.map(({ uid }) => uid));
  return contents.flatMap(({ pool, inventory }) => {
    const known = before.filter((orphan) => orphan.pool === pool.name);
    if (!pool.healthy && inventory.volumes.length + inventory.strays.length === 0) {
      return known;
    }
    const unasked = inventory.volumes
      .filter(({ volumeUid }) => !uids.has(volumeUid))
      .map(({ name, volumeUid, allocatedBytes }) => ({
        name,
        bytes: allocatedBytes,
        reason: `no LocalVolume with uid ${volumeUid} is on this node`,
      }));
    return [...unasked, ...inventory.strays]
      .map(({ name, bytes, reason }) => {
        const since = known.find((orphan) => orphan.name === name)?.since ?? now;
        return { pool: pool.name, name, bytes, reason, since };
      })
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  });
}
