import { PermanentError } from '../model/errors.ts';
import { whyNotMkfsOptions } from '../model/mkfs-options.ts';
import type { LocalVolume } from '../model/volume.ts';
import { wasMade, type VolumeReconcilerParts } from './agent-volume.ts';

type Parts = Pick<VolumeReconcilerParts, 'volumes' | 'filesystems' | 'log' | 'meter'>;

/**
 * Nobody has been handed it, so nobody has data in it: whatever its device shows was left by
 * another volume, or by a try that was cut off.
 */
function isNew(volume: LocalVolume): boolean {
  const { spec, published, deleting } = volume;
  return !wasMade(volume) && !published && !deleting && spec.adopts === undefined;
}

/**
 * Sees to it that kubelet finds nothing on the device of a new volume, or the filesystem that its
 * class describes; until the volume is Ready, and so before anybody else hears of it.
 *
 *     blank, no options -> kubelet makes the filesystem
 *     otherwise         -> asked live: still new -> blank -> mkfs, where there are options -> (the caller) Ready
 *
 * Nothing is recorded on the way: a volume that is not Ready after a kill is begun anew. One that is
 * raw is left as its pool has made it.
 *
 * @param path - of what kubelet is going to use: the last of all devices in front of the volume
 * @throws PermanentError where mkfs cannot do what the class asks, or nobody could mount it here
 */
export function volumeFormatter({ volumes, filesystems, log, meter }: Parts) {
  async function isStillNew({ name, uid }: LocalVolume): Promise<boolean> {
    const now = await volumes.read(name);
    return now?.uid === uid && isNew(now);
  }

  async function make(volume: LocalVolume, path: string, signal: AbortSignal): Promise<void> {
    const { fsType, mkfsOptions: options } = volume.spec;
    if (options !== undefined) {
      await meter.timed('format', () => filesystems.make(path, { fsType, options }, signal));
      log.info('volume formatted', { volume: volume.name, fsType, options });
    }
  }

  return async (volume: LocalVolume, path: string, signal: AbortSignal): Promise<void> => {
    const { fsType, mkfsOptions, volumeMode } = volume.spec;
    if (!isNew(volume) || volumeMode !== 'Filesystem') {
      return;
    }
    refuseUnknown(volume);
    await filesystems.refuseUnknown(path, fsType, signal);
    const isBlank = await filesystems.isBlank(path);
    const isDone = isBlank && mkfsOptions === undefined;
    if (isDone || !(await isStillNew(volume))) {
      return;
    }
    if (!isBlank) {
      log.info('the device of a new volume is not blank', { volume: volume.name, path });
      await filesystems.blank(path, signal);
    }
    await make(volume, path, signal);
  };
}

/** Whoever has written the LocalVolume, no other words get to a program. */
function refuseUnknown({ spec: { fsType, mkfsOptions } }: LocalVolume): void {
  const why = mkfsOptions && whyNotMkfsOptions(fsType, mkfsOptions);
  if (why !== undefined) {
    throw new PermanentError(`mkfsOptions: ${why}`);
  }
}
