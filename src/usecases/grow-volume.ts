import { formatBytes } from '../model/bytes.ts';
import type { LocalVolume } from '../model/volume.ts';
import { identityOf, wasMade, type VolumeReconcilerParts } from './agent-volume.ts';
import { ForeignVolumeError, type BackendVolume, type StorageBackend } from './ports.ts';

/** A volume as it was found, and the path that kubelet follows to it. */
export interface Attached {
  readonly found: BackendVolume;
  readonly path: string;
}

/** Its claim has been promised more than it was told that it has. */
function isToGrow({ spec, status }: LocalVolume, found: BackendVolume): boolean {
  return spec.bytes > (status.bytes ?? found.bytes);
}

/**
 * Grows a volume to what its LocalVolume says, and the filesystem in it, while its pod runs on.
 *
 *     storage -> status.allocatedBytes, generation -> filesystem -> (the caller) status.bytes
 *
 * Each step finds what an earlier run has done, so a kill in between costs a repetition. What is
 * allocated is told before the filesystem has grown: should that fail, the pool is short of it all
 * the same.
 *
 * @returns the volume as it is now, and what was written of it
 */
export function volumeGrower(parts: VolumeReconcilerParts) {
  const { volumes, reports, filesystems, log, meter } = parts;

  async function grow(
    volume: LocalVolume,
    { path }: Attached,
    storage: StorageBackend,
    signal: AbortSignal,
  ): Promise<{ volume: LocalVolume; found: BackendVolume }> {
    const { bytes, pool, volumeMode } = volume.spec;
    const request = { ...identityOf(volume), bytes };
    const found = await meter.timed('grow', () => storage.grow(request, signal));
    const generation = reports.nextGeneration(pool);
    const { allocatedBytes } = found;
    const status = { ...volume.status, allocatedBytes, generation };
    await volumes.setStatus(volume, status);
    reports.changed();
    if (volumeMode === 'Filesystem') {
      await filesystems.grow(path, signal);
    }
    log.info('volume grown', { volume: volume.name, pool, bytes });
    return { volume: { ...volume, status }, found };
  }

  return async (
    volume: LocalVolume,
    attached: Attached,
    storage: StorageBackend,
    signal: AbortSignal,
  ): Promise<{ volume: LocalVolume; found: BackendVolume }> => {
    const { found } = attached;
    if (!wasMade(volume) || !isToGrow(volume, found)) {
      return { volume, found };
    }
    try {
      return await grow(volume, attached, storage, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ForeignVolumeError) {
        throw error;
      }
      // Nothing tells when there is room again on the disk itself: tried again after a while.
      const wanted = formatBytes(volume.spec.bytes);
      throw new Error(`it does not grow to ${wanted} now`, { cause: error });
    }
  };
}
