import { describeError, PermanentError } from '../model/errors.ts';
import type { ErasePolicy, LocalVolume } from '../model/volume.ts';
import {
  identityOf,
  isOnLoan,
  volumeRef,
  warnOwners,
  wasMade,
  type VolumeReconcilerParts,
} from './agent-volume.ts';
import { PoolUnusableError, type StorageBackend } from './ports.ts';

/** Shows why nothing could be done, and throws. */
type StayWith = (volume: LocalVolume, error: unknown) => Promise<never>;

/**
 * Brings a volume that is marked deleted to its end: erased, gone from the disk, said so, and only
 * then let go.
 */
export function volumeRemover(
  parts: VolumeReconcilerParts,
  stayWith: StayWith,
): (volume: LocalVolume, signal: AbortSignal) => Promise<void> {
  const { node, volumes, pools, reports, encryption, events, log, meter } = parts;

  async function letGo(volume: LocalVolume): Promise<void> {
    await volumes.release(volume);
    reports.changed();
  }

  /** What is on disk is an orphan again, under the name it has now. */
  async function handBack(volume: LocalVolume): Promise<void> {
    await letGo(volume);
    const { adopts, pool } = volume.spec;
    const text = `node ${node}: ${adopts?.name ?? ''} of pool ${pool} was not handed to the claim; its data is kept, as an orphan`;
    warnOwners(volume, 'AdoptionGivenUp', text, events);
  }

  /** @returns what was done to the bytes; nothing where there were none */
  async function erase(
    volume: LocalVolume,
    storage: StorageBackend | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    try {
      const own = storage && encryption.ofVolume(volume, storage);
      return await meter.timed('remove', async () =>
        own?.remove(identityOf(volume), erasureOf(volume), signal),
      );
    } catch (error) {
      signal.throwIfAborted();
      return holdsUp(volume, error)
        ? stayWith(volume, error)
        : `not erased: ${describeError(error)}`;
    }
  }

  /** The status keeps it until the object goes, the event a little longer. */
  async function record(volume: LocalVolume, result: string | undefined): Promise<void> {
    const { status, spec } = volume;
    // Gone already: an earlier try has said how, or nothing was ever made.
    if (result === undefined && (status.erased !== undefined || !wasMade(volume))) {
      return;
    }
    const policy = erasureOf(volume);
    const why = policy === spec.erase ? '' : ' (no pod has ever seen the volume)';
    const said =
      result === undefined ? 'nothing of it was found, so nothing was erased' : `${result}${why}`;
    const at = new Date(parts.now()).toISOString();
    await volumes.setStatus(volume, { ...status, erased: { policy, at, result: said } });
    events.normal(volumeRef(volume), 'VolumeErased', `node ${node}: ${policy}: ${said}`);
  }

  return async (volume, signal) => {
    if (volume.heldByControl || !volume.heldByAgent) {
      return;
    }
    if (isOnLoan(volume)) {
      return handBack(volume);
    }
    const pool = pools.get(volume.spec.pool);
    const storage = pool?.storage;
    if (storage === undefined && wasMade(volume)) {
      const why = pool?.problem ?? `there is no pool ${volume.spec.pool} on node ${node}`;
      return stayWith(volume, new PermanentError(`${why}: the volume cannot be removed`));
    }
    await record(volume, await erase(volume, storage, signal));
    await letGo(volume);
    log.info('volume removed', { volume: volume.name, pool: volume.spec.pool });
  };
}

/** A volume that was never published has nobody's data in it; on a big disk, zeros take hours. */
function erasureOf({ published, spec }: LocalVolume): ErasePolicy {
  return published ? spec.erase : 'none';
}

/**
 * What was never Ready holds no data, and must not wait for its pool to be mended. Should a crash
 * have left an image of it, that is an orphan when the pool works again.
 */
function holdsUp(volume: LocalVolume, error: unknown): boolean {
  return wasMade(volume) || !(error instanceof PoolUnusableError);
}
