import type { DiscoveredEntry, DiscoveryPool } from '../model/discovery.ts';
import { decideStatic } from './decide-static.ts';
import {
  entryOf,
  isMissing,
  isUnclaimed,
  type DiscoveryAction,
  type DiscoveryFacts,
  type MediumVolume,
} from './medium-facts.ts';

type KnownVolume = MediumVolume & { readonly id: string };

/** What has to be done for one Local PersistentVolume. */
export function decideVolume(
  volume: MediumVolume,
  facts: DiscoveryFacts,
): readonly DiscoveryAction[] {
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

function missingText({ path }: MediumVolume): string {
  return `its medium is not there any more at ${path}, or is not mounted; the data is used again when it is back`;
}

function whyWithdrawn(volume: KnownVolume, facts: DiscoveryFacts): string | undefined {
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

function decideDeleted(volume: KnownVolume, facts: DiscoveryFacts): readonly DiscoveryAction[] {
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
  return decideAsked(volume, entry, facts);
}

function decideAsked(
  volume: KnownVolume,
  entry: DiscoveredEntry | undefined,
  facts: DiscoveryFacts,
): readonly DiscoveryAction[] {
  if (!facts.nodeExists || isMissing(volume, facts)) {
    const why = `its medium is not there to be cleaned: it is cleaned when it is back, before anybody gets it (spec.clean of StorageNode ${facts.node})`;
    return [{ kind: 'end', volume, why }];
  }
  const text = `its medium is not cleaned: ${entry?.message ?? ''}`;
  return entry?.state === 'refused' ? [{ kind: 'warn', volume, text }] : [];
}
