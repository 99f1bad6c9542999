import {
  mediumVolumeName,
  type CleanRequest,
  type DiscoveredEntry,
  type DiscoveryPool,
} from '../model/discovery.ts';
import { parseGlob } from '../model/glob.ts';
import { decideVolume } from './decide-medium.ts';
import {
  entryOf,
  isIn,
  type DiscoveryAction,
  type DiscoveryFacts,
  type MediumVolume,
  type OfferedPool,
} from './medium-facts.ts';

/** What has to be done for the media of one node now. Everything that acts looks once more live. */
export function decideDiscovery(facts: DiscoveryFacts): readonly DiscoveryAction[] {
  return [
    ...facts.volumes.flatMap((volume) => decideVolume(volume, facts)),
    ...facts.requests
      .filter((request) => isForgotten(request, facts))
      .map((request) => ({ kind: 'forget', request }) as const),
    ...facts.pools.flatMap((pool) => decideOffers(pool, facts)),
  ];
}

/** Fulfilled, and its volume has gone: only now may its medium be offered again. */
function isForgotten({ id, volumeUid }: CleanRequest, facts: DiscoveryFacts): boolean {
  const isThere = facts.volumes.some(({ uid }) => uid === volumeUid);
  return !isThere && entryOf(id, facts)?.cleaned?.volumeUid === volumeUid;
}

function decideOffers(pool: OfferedPool, facts: DiscoveryFacts): readonly DiscoveryAction[] {
  const found = facts.found.find((one) => one.pool === pool.name && one.healthy);
  if (!pool.applies || pool.problem !== undefined || !facts.nodeExists) {
    return [];
  }
  return (found?.entries ?? [])
    .filter((entry) => mayBeOffered(entry, pool, facts))
    .map((entry) => ({ kind: 'make', entry, pool }) as const);
}

/** Whether an entry can become a new PersistentVolume: nobody has, had or wants it. */
export function mayBeOffered(
  entry: DiscoveredEntry,
  { plan }: DiscoveryPool,
  facts: Pick<DiscoveryFacts, 'node' | 'requests' | 'volumes' | 'elsewhere'>,
): boolean {
  const { id, path, state, busy } = entry;
  if (id === undefined || state !== 'available' || busy === true || !isAskedFor(entry, plan)) {
    return false;
  }
  const name = mediumVolumeName(facts.node, id);
  const isTaken = (volume: MediumVolume): boolean =>
    volume.id === id || volume.name === name || volume.path === path;
  return (
    !facts.requests.some((request) => request.id === id) &&
    !facts.volumes.some(isTaken) &&
    whyShared(plan, facts.volumes) === undefined &&
    facts.elsewhere(id) === undefined
  );
}

/**
 * What an agent told before it knew how the pool is now is not of this pool any more. Nor is what
 * lies elsewhere: each agent could write for the others.
 */
function isAskedFor(
  { name, path, mode }: DiscoveredEntry,
  { directory, namePattern, volumeMode }: DiscoveryPool['plan'],
): boolean {
  const isName = !['', '.', '..'].includes(name) && !name.includes('/');
  const isInside = isName && path === `${directory}/${name}`;
  return isInside && mode === volumeMode && parseGlob(namePattern)?.(name) === true;
}

/** Two who make volumes of one directory would make two of one medium. */
export function whyShared(
  { directory, takeOver }: DiscoveryPool['plan'],
  volumes: readonly MediumVolume[],
): string | undefined {
  const other = volumes.find(
    (volume) => volume.isStatic && volume.id === undefined && isIn(volume, directory),
  );
  return other === undefined || takeOver
    ? undefined
    : `the local static provisioner has made PersistentVolumes in ${directory}, such as ${other.name}: end it on this node, then set discovery.takeOver`;
}
