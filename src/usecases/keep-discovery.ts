import type {
  CleanRequest,
  DiscoveredEntry,
  DiscoveredPool,
  DiscoveryPool,
} from '../model/discovery.ts';
import type { ClaimStore } from './cluster.ts';
import { decideDiscovery, mayBeOffered } from './decide-discovery.ts';
import {
  isUnclaimed,
  type DiscoveryAction,
  type DiscoveryFacts,
  type MediumVolume,
} from './medium-facts.ts';
import { allSettled } from './all-settled.ts';
import type { EventSink, Log, Now, ObjectRef } from './ports.ts';

/** What a StorageNode says of discovery. */
export interface DiscoveryOnNode {
  readonly found: readonly DiscoveredPool[];
  readonly requests: readonly CleanRequest[];
}

/** PersistentVolumes of media, and what is asked of their agents. */
export interface MediumStore {
  /** From memory. */
  facts(node: string): DiscoveryFacts;
  /** Live. */
  readVolume(name: string): Promise<MediumVolume | undefined>;
  /** Live. */
  readNode(node: string): Promise<DiscoveryOnNode>;
  /** @returns false where one of that name is there already */
  make(node: string, entry: DiscoveredEntry, pool: DiscoveryPool): Promise<boolean>;
  /** Makes a volume of others one of Berth, unless it has changed since it was read. */
  takeOver(volume: MediumVolume, entry: DiscoveredEntry, about: TakenOver): Promise<void>;
  /**
   * Marks it deleted: from then on nobody can be bound to it.
   * @returns false where it has changed since it was read
   */
  markDeleted(volume: MediumVolume): Promise<boolean>;
  /** Takes Berth's finalizer off. May be repeated. */
  letGo(volume: MediumVolume): Promise<void>;
  /** Both may be repeated. */
  ask(node: string, request: CleanRequest): Promise<void>;
  forget(node: string, request: CleanRequest): Promise<void>;
}

export interface TakenOver {
  readonly node: string;
  readonly pool: string;
}

export interface DiscoveryPorts {
  readonly media: MediumStore;
  readonly claims: Pick<ClaimStore, 'read'>;
  readonly events: EventSink;
  readonly log: Log;
  readonly now: Now;
}

/**
 * Keeps the PersistentVolumes of one node's media as they should be. Memory says what may have to
 * be done; each step looks once more live at what it must not get wrong.
 */
export function keepDiscovery(ports: DiscoveryPorts) {
  return async (node: string): Promise<undefined> => {
    const facts = ports.media.facts(node);
    const actions = decideDiscovery(facts);
    await allSettled(actions.map((action) => act(action, facts, ports)));
    return undefined;
  };
}

async function act(
  action: DiscoveryAction,
  facts: DiscoveryFacts,
  ports: DiscoveryPorts,
): Promise<void> {
  const { media, log } = ports;
  const { node } = facts;
  switch (action.kind) {
    case 'make':
      return make(action, facts, ports);
    case 'withdraw':
      return withdraw(action, ports);
    case 'takeOver':
      await media.takeOver(action.volume, action.entry, { node, pool: action.pool.name });
      log.info('volume taken over', { volume: action.volume.name, node, id: action.entry.id });
      return;
    case 'release':
      return release(action.volume, ports);
    case 'ask':
      return ask(action.volume, facts, ports);
    case 'end':
      return end(action, facts, ports);
    case 'forget':
      return media.forget(node, action.request);
    case 'warn':
      warn(action.volume, `node ${node}: ${action.text}`, ports);
      return;
  }
}

/** What is known of the node is read live: the agent says there first what it is about to clean. */
async function make(
  { entry, pool }: Extract<DiscoveryAction, { kind: 'make' }>,
  facts: DiscoveryFacts,
  { media, log }: DiscoveryPorts,
): Promise<void> {
  const now = await media.readNode(facts.node);
  const told = now.found.find((one) => one.pool === pool.name && one.healthy);
  const found = told?.entries.find(({ id }) => id === entry.id);
  if (found === undefined || !mayBeOffered(found, pool, { ...facts, requests: now.requests })) {
    return;
  }
  if (await media.make(facts.node, found, pool)) {
    log.info('medium offered', {
      node: facts.node,
      pool: pool.name,
      path: found.path,
      id: found.id,
    });
  }
}

async function withdraw(
  { volume, why }: Extract<DiscoveryAction, { kind: 'withdraw' }>,
  { media, events, log }: DiscoveryPorts,
): Promise<void> {
  const now = await media.readVolume(volume.name);
  if (now?.uid !== volume.uid || now.deleting || !isUnclaimed(now)) {
    return;
  }
  if (await media.markDeleted(now)) {
    events.normal(volumeRef(now), 'MediumWithdrawn', why);
    log.info('medium withdrawn', { volume: now.name, path: now.path, why });
    await media.letGo(now);
  }
}

/** From the mark on nobody can be bound to it any more, and nobody can ask to keep its data. */
async function release(volume: MediumVolume, ports: DiscoveryPorts): Promise<void> {
  const now = await ports.media.readVolume(volume.name);
  const isReleased = now?.phase === 'Released' && now.reclaimPolicy === 'Delete' && !now.deleting;
  if (now?.uid !== volume.uid || !isReleased || (await hasClaim(now, ports))) {
    return;
  }
  await ports.media.markDeleted(now);
}

async function ask(
  volume: MediumVolume & { readonly id: string },
  { node }: DiscoveryFacts,
  ports: DiscoveryPorts,
): Promise<void> {
  const now = await ports.media.readVolume(volume.name);
  const isOver = now?.deleting === true && now.phase !== 'Bound';
  if (now?.uid !== volume.uid || !isOver || now.reclaimPolicy !== 'Delete') {
    return;
  }
  if (await hasClaim(now, ports)) {
    return;
  }
  const { pool, id, name, uid } = volume;
  const requestedAt = new Date(ports.now()).toISOString();
  await ports.media.ask(node, { pool, id, volume: name, volumeUid: uid, requestedAt });
}

/** Read live: its data is somebody's as long as the claim is there. */
async function hasClaim({ claim }: MediumVolume, { claims }: DiscoveryPorts): Promise<boolean> {
  if (claim?.namespace === undefined || claim.name === undefined) {
    return false;
  }
  const now = await claims.read(claim.namespace, claim.name);
  return now !== undefined && (claim.uid === undefined || now.ref.uid === claim.uid);
}

async function end(
  { volume, why }: Extract<DiscoveryAction, { kind: 'end' }>,
  { node }: DiscoveryFacts,
  ports: DiscoveryPorts,
): Promise<void> {
  if (why !== undefined) {
    warn(volume, `node ${node}: ${why}`, ports);
  }
  await ports.media.letGo(volume);
}

/** Where people look: at the volume, at its claim and at the node. */
function warn(volume: MediumVolume, text: string, { events }: DiscoveryPorts): void {
  const reason = 'MediumMissing';
  const { claim } = volume;
  events.warning(volumeRef(volume), reason, text);
  if (claim?.name !== undefined && volume.phase === 'Bound') {
    const ref = { ...claim, name: claim.name, apiVersion: 'v1', kind: 'PersistentVolumeClaim' };
    events.warning(ref, reason, text);
  }
}

function volumeRef({ name, uid }: MediumVolume): ObjectRef {
  return { apiVersion: 'v1', kind: 'PersistentVolume', name, uid };
}
