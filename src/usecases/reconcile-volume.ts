import { formatBytes } from '../model/bytes.ts';
import { describeError, PermanentError } from '../model/errors.ts';
import { isPathSafe } from '../model/names.ts';
import { whyOnlyDevice, type LocalVolume } from '../model/volume.ts';
import {
  identityOf,
  volumeRef,
  warnOwners,
  wasMade,
  type VolumeReconcilerParts,
} from './agent-volume.ts';
import type { Reconcile } from './controller.ts';
import { volumeFormatter } from './format-volume.ts';
import { volumeGrower } from './grow-volume.ts';
import type { NodePool } from './node-pools.ts';
import { orphanKey } from './orphans.ts';
import { ForeignVolumeError, type BackendVolume, type StorageBackend } from './ports.ts';
import { volumeRemover } from './remove-volume.ts';

/** A lost volume is looked for again, in case its disk was only unplugged; no API call is made. */
const lostAgainMs = 60_000;
const lostPrefix = 'LOST:';

function reasonFor({ deleting, spec, status }: LocalVolume): string {
  if (deleting) {
    return 'VolumeNotRemoved';
  }
  return status.bytes !== undefined && status.bytes < spec.bytes
    ? 'VolumeNotExpanded'
    : 'VolumeNotUsable';
}

/** Brings one volume on disk to what its LocalVolume says, and its status to what is on disk. */
export function volumeReconciler(parts: VolumeReconcilerParts): Reconcile {
  const { node, volumes, pools, reports, machine, encryption, events, log, meter, rowOf } = parts;

  function tell(volume: LocalVolume, reason: string, message: string): void {
    warnOwners(volume, reason, message, events);
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
    const { allocatedBytes, bytes } = found;
    await volumes.setStatus(volume, { phase: 'Ready', path, allocatedBytes, bytes, generation });
    if (phase === 'Ready') {
      return;
    }
    reports.changed();
    const size = `${formatBytes(found.bytes)} in pool ${volume.spec.pool} of node ${node}`;
    events.normal(volumeRef(volume), phase === 'Lost' ? 'VolumeFound' : 'VolumeCreated', size);
    log.info('volume ready', { volume: volume.name, pool: volume.spec.pool, path });
  }

  async function create(
    volume: LocalVolume,
    storage: StorageBackend,
    signal: AbortSignal,
  ): Promise<BackendVolume> {
    const { bytes, pool, adopts } = volume.spec;
    const request = { ...identityOf(volume), bytes };
    if (adopts === undefined) {
      return meter.timed('create', () => storage.ensure(request, signal));
    }
    if (!isPathSafe(adopts.name)) {
      throw new PermanentError(`"${adopts.name}" is no name of a volume`);
    }
    return rowOf(orphanKey({ pool, name: adopts.name }))(() =>
      meter.timed('adopt', () => storage.adopt(adopts, request, signal)),
    );
  }

  async function make(
    volume: LocalVolume,
    storage: StorageBackend,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const found = wasMade(volume)
      ? await storage.find(identityOf(volume), signal)
      : await create(volume, storage, signal);
    if (found === undefined) {
      return stayLost(volume);
    }
    machine.found(volume.uid);
    const path = await meter.timed('attach', () => storage.attach(found, signal));
    await format(volume, path, signal);
    const grown = await grow(volume, { found, path }, storage, signal);
    await settle(grown.volume, grown.found, path);
    return undefined;
  }

  async function keep(volume: LocalVolume, signal: AbortSignal): Promise<number | undefined> {
    if (volume.status.phase === 'Failed') {
      return undefined;
    }
    const pool = pools.get(volume.spec.pool);
    const problem = pool?.problem ?? `pool ${volume.spec.pool} is not on node ${node}`;
    const why = wasMade(volume) ? undefined : whyNeverMade(volume, pool, problem);
    if (why !== undefined) {
      return fail(volume, why);
    }
    try {
      if (pool?.storage === undefined) {
        throw new PermanentError(problem);
      }
      return await make(volume, encryption.ofVolume(volume, pool.storage), signal);
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
      tell(volume, reasonFor(volume), `node ${node}: ${message}`);
    }
    throw error;
  }

  const format = volumeFormatter(parts);
  const grow = volumeGrower(parts);
  const remove = volumeRemover(parts, stayWith);

  return async (name, signal) => {
    const volume = volumes.get(name);
    try {
      if (volume === undefined) {
        return undefined;
      }
      if (!volume.deleting) {
        return await keep(volume, signal);
      }
      await remove(volume, signal);
      return undefined;
    } finally {
      parts.onSettled(name);
    }
  };
}

function whyNeverMade(
  { spec }: LocalVolume,
  pool: NodePool | undefined,
  problem: string,
): string | undefined {
  if (pool?.applies !== true) {
    return problem;
  }
  const why = pool.gives === 'directory' ? whyOnlyDevice(spec) : undefined;
  return why && `pool ${pool.name} gives directories, and ${why} needs a device`;
}
