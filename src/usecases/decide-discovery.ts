import {
  mediumVolumeName,
  type CleanRequest,
  type DiscoveredEntry,
  type DiscoveredPool,
  type DiscoveryPool,
} from '../model/discovery.ts';
import type { ClaimRef, VolumeMode } from '../model/volume.ts';

/** A Local PersistentVolume of a node, whoever made it. */
export interface MediumVolume {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** Missing for one that is not looked after by Berth. */
  readonly id?: string | undefined;
  /** Empty for one that is not looked after by Berth. */
  readonly pool: string;
  /** Made by the local static provisioner. */
  readonly isStatic: boolean;
  readonly path: string;
  readonly bytes: number;
  readonly mode: VolumeMode;
  readonly className: string;
  readonly phase: string;
  readonly claim?: Partial<ClaimRef> | undefined;
  readonly reclaimPolicy: string;
  readonly deleting: boolean;
}

/** A pool of the backend `discovery`, for one node. */
export interface OfferedPool extends DiscoveryPool {
  /** It selects the node, and is not going. */
  readonly applies: boolean;
  /** Why nothing new can be offered in it. */
  readonly problem?: string | undefined;
}

export interface DiscoveryFacts {
  readonly node: string;
  readonly nodeExists: boolean;
  readonly pools: readonly OfferedPool[];
  readonly found: readonly DiscoveredPool[];
  readonly requests: readonly CleanRequest[];
  /** All Local PersistentVolumes of this node. */
  readonly volumes: readonly MediumVolume[];
  /** A PersistentVolume of another node that is of this medium, and whose node has lost it. */
  readonly elsewhere: (id: string) => string | undefined;
}

export type DiscoveryAction =
  | { readonly kind: 'make'; readonly entry: DiscoveredEntry; readonly pool: DiscoveryPool }
  /** Nobody has it, and it must not be offered any longer. */
  | { readonly kind: 'withdraw'; readonly volume: MediumVolume; readonly why: string }
  /** The static provisioner's: becomes one that Berth looks after. */
  | {
      readonly kind: 'takeOver';
      readonly volume: MediumVolume;
      readonly entry: DiscoveredEntry;
      readonly pool: DiscoveryPool;
    }
  /** Its claim seems gone: marked deleted, once that is seen live. */
  | { readonly kind: 'release'; readonly volume: MediumVolume }
  /** Marked deleted: its medium has to be cleaned. */
  | { readonly kind: 'ask'; readonly volume: MediumVolume & { readonly id: string } }
  /** Nothing is left to be done for it. */
  | { readonly kind: 'end'; readonly volume: MediumVolume; readonly why?: string }
  | { readonly kind: 'forget'; readonly request: CleanRequest }
  | { readonly kind: 'warn'; readonly volume: MediumVolume; readonly text: string };

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

function entryOf(id: string, { found }: DiscoveryFacts): DiscoveredEntry | undefined {
  return found.flatMap(({ entries }) => entries).find((entry) => entry.id === id);
}

function decideVolume(volume: MediumVolume, facts: DiscoveryFacts): readonly DiscoveryAction[] {
  if (volume.id === undefined) {
    return volume.isStatic ? decideStatic(volume, facts) : [];
  }
  const known = { ...volume, id: volume.id };
  if (volume.deleting) {
    return decideDeleted(known, facts);
  }
  if (isUnclaimed(volume)) {
    const why = whyWithdrawn(known, facts);
    return why === undefined ? [] : [{ kind: 'withdraw', volume, why }];
  }
  if (volume.phase === 'Released') {
    return volume.reclaimPolicy === 'Delete' ? [{ kind: 'release', volume }] : [];
  }
  return isMissing(known, facts) ? [{ kind: 'warn', volume, text: missingText(volume) }] : [];
}

export function isUnclaimed({ claim, phase }: MediumVolume): boolean {
  return claim === undefined && ['Pending', 'Available'].includes(phase);
}

/** Its directory was read, and what it is made of was not in it. */
function isMissing({ id, pool }: { id: string; pool: string }, facts: DiscoveryFacts): boolean {
  const isRead = facts.found.some((one) => one.pool === pool && one.healthy);
  return isRead && entryOf(id, facts) === undefined;
}

function missingText({ path }: MediumVolume): string {
  return `its medium is not there any more at ${path}, or is not mounted; the data is used again when it is back`;
}

function whyWithdrawn(
  volume: MediumVolume & { id: string },
  facts: DiscoveryFacts,
): string | undefined {
  const pool = facts.pools.find(({ name, applies }) => name === volume.pool && applies);
  if (!facts.nodeExists || pool === undefined) {
    return `StoragePool ${volume.pool} does not offer it any longer`;
  }
  if (isMissing(volume, facts)) {
    return 'its medium is not there any more';
  }
  const entry = entryOf(volume.id, facts);
  if (entry?.state === 'refused') {
    return entry.message ?? 'it is refused';
  }
  return entry && differs(volume, entry, pool) ? 'what it is made of has changed' : undefined;
}

function differs(volume: MediumVolume, entry: DiscoveredEntry, { plan }: DiscoveryPool): boolean {
  return (
    volume.bytes !== entry.bytes ||
    volume.path !== entry.path ||
    volume.mode !== entry.mode ||
    volume.className !== plan.storageClassName
  );
}

function decideDeleted(
  volume: MediumVolume & { readonly id: string },
  facts: DiscoveryFacts,
): readonly DiscoveryAction[] {
  if (volume.phase === 'Bound') {
    return [];
  }
  if (volume.claim === undefined || volume.reclaimPolicy !== 'Delete') {
    return [{ kind: 'end', volume }];
  }
  const request = facts.requests.find(({ volumeUid }) => volumeUid === volume.uid);
  const entry = entryOf(volume.id, facts);
  if (entry?.cleaned?.volumeUid === volume.uid) {
    return [{ kind: 'end', volume }];
  }
  if (request === undefined) {
    return [{ kind: 'ask', volume }];
  }
  if (!facts.nodeExists || isMissing(volume, facts)) {
    const why = `its medium is not there to be cleaned: it is cleaned when it is back, before anybody gets it (spec.clean of StorageNode ${facts.node})`;
    return [{ kind: 'end', volume, why }];
  }
  const text = `its medium is not cleaned: ${entry?.message ?? ''}`;
  return entry?.state === 'refused' ? [{ kind: 'warn', volume, text }] : [];
}

function decideStatic(volume: MediumVolume, facts: DiscoveryFacts): readonly DiscoveryAction[] {
  const pool = facts.pools.find(
    ({ plan, applies }) => applies && plan.takeOver && isIn(volume, plan.directory),
  );
  if (pool === undefined || volume.deleting) {
    return [];
  }
  const found = facts.found.find((one) => one.pool === pool.name && one.healthy);
  const entry = found?.entries.find(({ path }) => path === volume.path);
  const isThere = entry?.id !== undefined;
  if (isUnclaimed(volume)) {
    const why = 'its medium is not there any more';
    return found && !isThere ? [{ kind: 'withdraw', volume, why }] : [];
  }
  if (volume.phase !== 'Released' || volume.reclaimPolicy !== 'Delete' || found === undefined) {
    return [];
  }
  const text = `nothing can be cleaned: ${entry?.message ?? `nothing is at ${volume.path}`}. Delete it by hand when its medium is gone for good`;
  return isThere && entry.state !== 'refused'
    ? [{ kind: 'takeOver', volume, entry, pool }]
    : [{ kind: 'warn', volume, text }];
}

function isIn({ path }: { readonly path: string }, directory: string): boolean {
  return path.startsWith(`${directory}/`);
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
  { id, path, state, busy }: DiscoveredEntry,
  { plan }: DiscoveryPool,
  facts: Pick<DiscoveryFacts, 'node' | 'requests' | 'volumes' | 'elsewhere'>,
): boolean {
  if (id === undefined || state !== 'available' || busy === true) {
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
