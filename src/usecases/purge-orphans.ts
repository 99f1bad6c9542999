import { formatBytes } from '../model/bytes.ts';
import { claimText } from '../model/claim.ts';
import { describeError } from '../model/errors.ts';
import { isPathSafe } from '../model/names.ts';
import type { ErasePolicy, LocalVolume, VolumeIdentity } from '../model/volume.ts';
import type { Reconcile } from './controller.ts';
import type { EncryptedStorage } from './encryption-ports.ts';
import type { NodePool } from './node-pools.ts';
import type {
  LiveOwners,
  NodeMeter,
  OrphanStanding,
  PurgeRequest,
  PurgeRequests,
} from './node-ports.ts';
import type { InTurn } from './one-at-a-time.ts';
import type { OrphanClock } from './orphan-clock.ts';
import { orphanKey } from './orphans.ts';
import {
  ForeignVolumeError,
  type EventSink,
  type Log,
  type ObjectRef,
  type StorageBackend,
} from './ports.ts';

export interface PurgeParts {
  readonly pools: { get(name: string): NodePool | undefined };
  readonly requests: PurgeRequests;
  /** The orphans of the last look, by `orphanKey`. */
  readonly orphans: { get(key: string): OrphanStanding | undefined };
  readonly clock: Pick<OrphanClock, 'waitMs'>;
  readonly owners: LiveOwners;
  readonly encryption: Pick<EncryptedStorage, 'ofOrphan'>;
  /** Adopting the same thing waits for its turn here too. */
  readonly rowOf: (key: string) => InTurn;
  /** The StorageNode. */
  readonly about: () => ObjectRef;
  readonly events: EventSink;
  readonly log: Log;
  readonly meter: Pick<NodeMeter, 'timed'>;
  /** What is on disk has changed. */
  readonly changed: () => void;
}

/** Something to be erased and removed, and on whose word. */
interface Purge {
  readonly pool: string;
  readonly name: string;
  /** Empty for a stray. */
  readonly volumeUid: string;
  readonly erase: ErasePolicy;
  readonly why: string;
}

type Outcome =
  | { readonly kind: 'done'; readonly result: string | undefined }
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'leaving'; readonly owner: LocalVolume };

/** A process that waits longer than this looks at the clock in between: timers have a limit. */
const longestWaitMs = 86_400_000;
/** Somebody owns what looked like an orphan: nothing but a person can settle that. */
const ownedAgainMs = 3_600_000;

/**
 * Erases and removes, by `orphanKey`, what the StorageNode asks to be purged, and orphans whose
 * time is up. Whether a LocalVolume owns or adopts the thing is read live just before: what is
 * in memory may be long untrue.
 */
export function orphanPurger(parts: PurgeParts): Reconcile {
  const { requests, orphans, clock, events, log } = parts;

  async function fulfil(request: PurgeRequest, signal: AbortSignal): Promise<void> {
    const { volumeUid = '', reason: why } = request;
    const outcome = await attempt({ ...request, volumeUid, why }, parts, signal);
    if (outcome.kind === 'leaving') {
      throw new Error(`LocalVolume ${outcome.owner.name} is still being removed`);
    }
    if (outcome.kind === 'refused') {
      const text = `pool ${request.pool}: ${request.name} is not purged: ${outcome.why}`;
      events.warning(parts.about(), 'PurgeRefused', text);
    }
    await requests.done(request);
  }

  async function expire(
    orphan: OrphanStanding,
    volumeUid: string,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const why = `nobody has asked for it since ${orphan.since}`;
    // Discarded, so that not even a careless filesystem shows the bytes to the next owner.
    const purge = { ...orphan, volumeUid, erase: 'discard', why } as const;
    const outcome = await attempt(purge, parts, signal);
    if (outcome.kind === 'refused') {
      const text = `pool ${orphan.pool}: ${orphan.name} is kept although its time is up: ${outcome.why}`;
      events.warning(parts.about(), 'OrphanKept', text);
    }
    return outcome.kind === 'done' ? undefined : ownedAgainMs;
  }

  return async (key, signal) => {
    const request = requests.get(key);
    const orphan = orphans.get(key);
    try {
      if (request !== undefined) {
        await fulfil(request, signal);
        return undefined;
      }
      const waitMs = orphan && clock.waitMs(orphan);
      if (orphan?.volumeUid === undefined || waitMs === undefined) {
        return undefined;
      }
      return waitMs > 0
        ? Math.min(waitMs, longestWaitMs)
        : await expire(orphan, orphan.volumeUid, signal);
    } catch (error) {
      signal.throwIfAborted();
      const why = describeError(error);
      events.warning(parts.about(), 'OrphanNotRemoved', `${key}: ${why}; it is tried again`);
      log.warn('an orphan was not removed', { key, why });
      // Not the error itself: one that is permanent for a volume may pass here, with its pool.
      throw new Error(why, { cause: error });
    }
  };
}

async function attempt(purge: Purge, parts: PurgeParts, signal: AbortSignal): Promise<Outcome> {
  const { pool, name } = purge;
  if (!isPathSafe(name)) {
    return { kind: 'refused', why: 'that is no name of a volume' };
  }
  const { storage, gives } = parts.pools.get(pool) ?? {};
  if (storage === undefined) {
    throw new Error(`pool ${pool} is not open on this node`);
  }
  return parts.rowOf(orphanKey(purge))(async () => {
    const owner = await parts.owners.find(await identitiesOf(purge, storage, signal));
    if (owner !== undefined) {
      return owner.deleting
        ? { kind: 'leaving', owner }
        : { kind: 'refused', why: describe(owner) };
    }
    return remove(purge, parts.encryption.ofOrphan(storage, gives), parts, signal);
  });
}

/** All that the thing may be: an image that cannot be trusted may still be the one of a volume. */
async function identitiesOf(
  { name, volumeUid }: Purge,
  storage: StorageBackend,
  signal: AbortSignal,
): Promise<readonly VolumeIdentity[]> {
  if (volumeUid !== '') {
    return [{ name, volumeUid }];
  }
  const { strays } = await storage.list(signal);
  const says = strays.find((stray) => stray.name === name)?.says;
  return [{ name, volumeUid }, ...(says ? [says] : [])];
}

async function remove(
  purge: Purge,
  storage: Pick<StorageBackend, 'remove' | 'removeStray'>,
  { about, events, log, meter, changed }: PurgeParts,
  signal: AbortSignal,
): Promise<Outcome> {
  const { pool, name, volumeUid, erase, why } = purge;
  try {
    const result = await meter.timed('remove', () =>
      volumeUid === ''
        ? storage.removeStray(name, erase, signal)
        : storage.remove({ name, volumeUid }, erase, signal),
    );
    if (result !== undefined) {
      events.normal(about(), 'OrphanPurged', `pool ${pool}: ${name} is gone, ${result}: ${why}`);
      log.info('orphan purged', { pool, name, volumeUid, erase, result, why });
      changed();
    }
    return { kind: 'done', result };
  } catch (error) {
    if (error instanceof ForeignVolumeError) {
      return { kind: 'refused', why: error.message };
    }
    throw error;
  }
}

function describe({ name, spec }: LocalVolume): string {
  const size = formatBytes(spec.bytes);
  return `LocalVolume ${name} (${size}, claim ${claimText(spec.claimRef)}) of node ${spec.node} asks for it`;
}
