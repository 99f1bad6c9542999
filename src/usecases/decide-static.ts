import { formatBytes } from '../model/bytes.ts';
import type { DiscoveredEntry } from '../model/discovery.ts';
import {
  isIn,
  isUnclaimed,
  type DiscoveryAction,
  type DiscoveryFacts,
  type MediumVolume,
} from './medium-facts.ts';

/** What has to be done for a PersistentVolume that the local static provisioner made. */
export function decideStatic(
  volume: MediumVolume,
  facts: DiscoveryFacts,
): readonly DiscoveryAction[] {
  const pool = facts.pools.find(
    ({ plan, applies }) => applies && plan.takeOver && isIn(volume, plan.directory),
  );
  const found = facts.found.find((one) => one.pool === pool?.name && one.healthy);
  if (pool === undefined || found === undefined || volume.deleting) {
    return [];
  }
  const entry = found.entries.find(({ path }) => path === volume.path);
  if (isUnclaimed(volume)) {
    return withdrawn(volume, entry);
  }
  const why = whyNotItsMedium(volume, entry, facts);
  if (entry !== undefined && why === undefined) {
    return [{ kind: 'takeOver', volume, entry, pool }];
  }
  const text = `nothing can be cleaned: ${why}. Delete it by hand when its medium is gone for good`;
  const isOver = volume.phase === 'Released' && volume.reclaimPolicy === 'Delete';
  return isOver ? [{ kind: 'warn', volume, text }] : [];
}

function withdrawn(
  volume: MediumVolume,
  entry: DiscoveredEntry | undefined,
): readonly DiscoveryAction[] {
  const why = entry?.message ?? 'its medium is not there any more';
  return entry?.id === undefined ? [{ kind: 'withdraw', volume, why }] : [];
}

/** Why what is at the path of a static provisioner's volume is not what it was made of. */
function whyNotItsMedium(
  volume: MediumVolume,
  entry: DiscoveredEntry | undefined,
  { volumes, requests }: DiscoveryFacts,
): string | undefined {
  if (entry === undefined) {
    return `nothing is at ${volume.path}`;
  }
  if (entry.id === undefined || entry.state === 'refused') {
    return entry.message ?? 'it is refused';
  }
  const other =
    volumes.find(({ id }) => id === entry.id)?.name ??
    requests.find(({ id }) => id === entry.id)?.volume;
  if (other !== undefined) {
    return `${entry.path} is the medium of ${other}`;
  }
  return isLike(volume, entry)
    ? undefined
    : `${entry.path} has ${formatBytes(entry.bytes)} and mode ${entry.mode}, so it is another medium`;
}

/**
 * Nothing else is written down of the medium that it was made of. The static provisioner cuts a
 * size down by less than a tenth.
 */
function isLike({ bytes, mode }: MediumVolume, entry: DiscoveredEntry): boolean {
  return mode === entry.mode && bytes <= entry.bytes && entry.bytes * 0.9 <= bytes;
}
