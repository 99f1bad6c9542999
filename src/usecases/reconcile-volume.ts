import { formatBytes } from '../model/bytes.ts';
import { describeError, PermanentError } from '../model/errors.ts';
import { apiVersion } from '../model/names.ts';
import type { LocalVolume } from '../model/volume.ts';
import type { Reconcile } from './controller.ts';
import type { MachineIdentity } from './machine-identity.ts';
import type { NodeMeter, NodeVolumes } from './node-ports.ts';
import type { NodePool } from './node-pools.ts';
import {
  ForeignVolumeError,
  PoolUnusableError,
  type BackendVolume,
  type EventSink,
  type Log,
  type ObjectRef,
  type StorageBackend,
} from './ports.ts';

export interface VolumeReconcilerParts {
  readonly node: string;
  readonly volumes: NodeVolumes;
  readonly pools: { get(name: string): NodePool | undefined };
  readonly reports: {
    /** The number of the first report that counts, or will count, a volume that exists. */
    generationOf(pool: string, volume: string): number;
    /** What is on disk has changed. */
    changed(): void;
  };
  readonly machine: Pick<MachineIdentity, 'lossOf' | 'found' | 'calledLost'>;
  readonly events: EventSink;
  readonly log: Log;
  readonly meter: NodeMeter;
  /** Hears that a volume has been looked at, well or not. */
  readonly onSettled: (name: string) => void;
}

/** A lost volume is looked for again, in case its disk was only unplugged; no API call is made. */
const lostAgainMs = 60_000;
const lostPrefix = 'LOST:';

/** Brings one volume on disk to what its LocalVolume says, and its status to what is on disk. */
export function volumeReconciler(parts: VolumeReconcilerParts): Reconcile {
  const { node, volumes, pools, reports, machine, events, log, meter } = parts;

  function tell(volume: LocalVolume, reason: string, message: string): void {
    const { namespace, name, uid } = volume.spec.claimRef;
    const claim = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid };
    events.warning(refTo(volume), reason, message);
    events.warning(claim, reason, message);
  }

  /** The end of a volume that could not be made: control sees it and takes all of it back. */
  async function fail(volume: LocalVolume, message: string): Promise<undefined> {
    await volumes.setStatus(volume, { phase: 'Failed', message });
    tell(volume, 'VolumeFailed', `node ${node}: ${message}`);
    return undefined;
  }

  async function lose(volume: LocalVolume, why: string): Promise<number> {
    const message =
      `${lostPrefix} the volume was made on node ${node} in pool ${volume.spec.pool}, and ${why}. ` +
      `Nothing is made in its place; it is Ready again as soon as it is back.`;
    if (volume.status.phase !== 'Lost' || volume.status.message !== message) {
      await volumes.setStatus(volume, { ...volume.status, phase: 'Lost', message });
      tell(volume, 'VolumeLost', message);
    }
    machine.calledLost(volume.uid);
    return lostAgainMs;
  }

  /** What was told when it was lost says more than that it is still missing. */
  async function stayLost(volume: LocalVolume): Promise<number> {
    const { phase, message = '' } = volume.status;
    const why = machine.lossOf(volume.uid);
    const isTold = phase === 'Lost' && message.startsWith(lostPrefix);
    return why === undefined && isTold ? lostAgainMs : lose(volume, why ?? 'it is no longer there');
  }

  async function settle(volume: LocalVolume, found: BackendVolume, path: string): Promise<void> {
    const { phase, generation = reports.generationOf(volume.spec.pool, volume.name) } =
      volume.status;
    const { allocatedBytes } = found;
    await volumes.setStatus(volume, { phase: 'Ready', path, allocatedBytes, generation });
    if (phase === 'Ready') {
      return;
    }
    reports.changed();
    const size = `${formatBytes(found.bytes)} in pool ${volume.spec.pool} of node ${node}`;
    events.normal(refTo(volume), phase === 'Lost' ? 'VolumeFound' : 'VolumeCreated', size);
    log.info('volume ready', { volume: volume.name, pool: volume.spec.pool, path });
  }

  async function make(
    volume: LocalVolume,
    storage: StorageBackend,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const request = { ...identity(volume), bytes: volume.spec.bytes };
    const found = wasMade(volume)
      ? await storage.find(request, signal)
      : await meter.timed('create', () => storage.ensure(request, signal));
    if (found === undefined) {
      return stayLost(volume);
    }
    machine.found(volume.uid);
    const path = await meter.timed('attach', () => storage.attach(found, signal));
    await settle(volume, found, path);
    return undefined;
  }

  async function keep(volume: LocalVolume, signal: AbortSignal): Promise<number | undefined> {
    if (volume.status.phase === 'Failed') {
      return undefined;
    }
    const pool = pools.get(volume.spec.pool);
    const problem = pool?.problem ?? `pool ${volume.spec.pool} is not on node ${node}`;
    if (!wasMade(volume) && pool?.applies !== true) {
      return fail(volume, problem);
    }
    try {
      if (pool?.storage === undefined) {
        throw new PermanentError(problem);
      }
      return await make(volume, pool.storage, signal);
    } catch (error) {
      signal.throwIfAborted();
      return afterFailure(volume, error);
    }
  }

  async function afterFailure(volume: LocalVolume, error: unknown): Promise<number | undefined> {
    if (wasMade(volume)) {
      return error instanceof ForeignVolumeError
        ? lose(volume, describeError(error))
        : stayWith(volume, error);
    }
    return error instanceof PermanentError
      ? fail(volume, describeError(error))
      : stayWith(volume, error);
  }

  /** Nothing is decided: shows why, and leaves it to the queue when to try again. */
  async function stayWith(volume: LocalVolume, error: unknown): Promise<never> {
    const message = describeError(error);
    const isKnown = volume.status.message === message;
    if (!isKnown) {
      await volumes.setStatus(volume, { ...volume.status, message });
    }
    // A volume is often still mounted for a moment after its pod: only what lasts is worth a word.
    if (isKnown === volume.deleting) {
      tell(
        volume,
        volume.deleting ? 'VolumeNotRemoved' : 'VolumeNotUsable',
        `node ${node}: ${message}`,
      );
    }
    throw error;
  }

  async function remove(volume: LocalVolume, signal: AbortSignal): Promise<undefined> {
    if (volume.heldByControl || !volume.heldByAgent) {
      return undefined;
    }
    const pool = pools.get(volume.spec.pool);
    const storage = pool?.storage;
    if (storage === undefined && wasMade(volume)) {
      const why = pool?.problem ?? `there is no pool ${volume.spec.pool} on node ${node}`;
      return stayWith(volume, new PermanentError(`${why}: the volume cannot be removed`));
    }
    try {
      await meter.timed('remove', async () =>
        storage?.remove(identity(volume), volume.spec.erase, signal),
      );
    } catch (error) {
      signal.throwIfAborted();
      if (holdsUp(volume, error)) {
        return stayWith(volume, error);
      }
    }
    await volumes.release(volume);
    reports.changed();
    log.info('volume removed', { volume: volume.name, pool: volume.spec.pool });
    return undefined;
  }

  return async (name, signal) => {
    const volume = volumes.get(name);
    try {
      if (volume === undefined) {
        return undefined;
      }
      return await (volume.deleting ? remove(volume, signal) : keep(volume, signal));
    } finally {
      parts.onSettled(name);
    }
  };
}

/** Data may be in it: it is looked for, and never made anew. */
function wasMade({ status }: LocalVolume): boolean {
  return status.phase === 'Ready' || status.phase === 'Lost';
}

/**
 * What was never Ready holds no data, and must not wait for its pool to be mended. Should a crash
 * have left an image of it, that is an orphan when the pool works again.
 */
function holdsUp(volume: LocalVolume, error: unknown): boolean {
  return wasMade(volume) || !(error instanceof PoolUnusableError);
}

function identity({ name, uid }: LocalVolume): { name: string; volumeUid: string } {
  return { name, volumeUid: uid };
}

function refTo({ name, uid }: LocalVolume): ObjectRef {
  return { apiVersion, kind: 'LocalVolume', name, uid };
}
