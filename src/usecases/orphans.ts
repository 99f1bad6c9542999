import { formatBytes } from '../model/bytes.ts';
import { formatSpan } from '../model/keep-for.ts';
import type { LocalVolume } from '../model/volume.ts';
import type { OrphanStanding } from './node-ports.ts';
import type { EventSink, ObjectRef, PoolInventory } from './ports.ts';

export interface PoolContent {
  readonly pool: { readonly name: string; readonly healthy: boolean };
  readonly inventory: PoolInventory;
  /** How long its orphans are kept: milliseconds, or `Infinity`. */
  readonly keepForMs: number;
}

/**
 * What is on disk and nobody asks for, not even to adopt it. What an operator's period allows is
 * removed after it, the rest never by itself: whoever put it there may want it back.
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
  const uids = new Set(asked.flatMap(({ uid, spec }) => [uid, spec.adopts?.volumeUid]));
  return contents.flatMap(({ pool, inventory, keepForMs }) => {
    const known = before.filter((orphan) => orphan.pool === pool.name);
    const isUnread = !pool.healthy && inventory.volumes.length + inventory.strays.length === 0;
    const found = isUnread ? known : unaskedOf(inventory, uids);
    return found
      .map((orphan) => {
        const { name, volumeUid } = orphan;
        const same = known.find((one) => one.name === name && one.volumeUid === volumeUid);
        const since = same?.since ?? now;
        // Nobody can tell whose a stray is, so time alone is no reason to destroy it.
        const isKept = volumeUid === undefined || keepForMs === Infinity;
        const removedAt = isKept ? undefined : later(since, keepForMs);
        return { ...orphan, pool: pool.name, since, removedAt };
      })
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  });
}

function unaskedOf(
  { volumes, strays }: PoolInventory,
  askedUids: ReadonlySet<string | undefined>,
): readonly Omit<OrphanStanding, 'pool' | 'since' | 'removedAt'>[] {
  const unasked = volumes
    .filter(({ volumeUid }) => !askedUids.has(volumeUid))
    .map(({ name, volumeUid, bytes, allocatedBytes }) => ({
      name,
      volumeUid,
      bytes: allocatedBytes,
      usableBytes: bytes,
      reason: `no LocalVolume with uid ${volumeUid} is on this node`,
    }));
  return [...unasked, ...strays.map(({ name, bytes, reason }) => ({ name, bytes, reason }))];
}

function later(since: string, ms: number): string {
  return new Date(Date.parse(since) + ms).toISOString();
}

/** Tells one orphan of a node from every other, however often it is looked at. */
export function orphanKey({ pool, name }: { pool: string; name: string }): string {
  return `${pool}/${name}`;
}

/** Says of each orphan once that it was found, and what will become of it. */
export function tellOrphans(
  found: readonly OrphanStanding[],
  before: readonly OrphanStanding[],
  about: ObjectRef,
  events: EventSink,
): void {
  const known = new Set(before.map((one) => `${orphanKey(one)} ${one.since}`));
  for (const orphan of found) {
    if (!known.has(`${orphanKey(orphan)} ${orphan.since}`)) {
      const { pool, name, bytes, reason, since, removedAt } = orphan;
      const fate =
        removedAt === undefined
          ? 'it is kept until somebody adopts or purges it'
          : `it is erased and removed in ${formatSpan(Date.parse(removedAt) - Date.parse(since))}, at ${removedAt}, unless somebody adopts it`;
      const what = `pool ${pool}: nobody asks for ${name} (${formatBytes(bytes)}): ${reason}`;
      events.warning(about, 'OrphanFound', `${what}; ${fate}`);
    }
  }
}
