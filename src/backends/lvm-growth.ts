import { minusBytes } from '../model/bytes.ts';
import type { BackendVolume, PoolUsage, VolumeRequest } from '../usecases/ports.ts';
import { extendVolume, type Change } from './lvm-changes.ts';
import { allocatedFor, usableFor, type LvmOptions } from './lvm-options.ts';
import { noSpace } from './lvm-space.ts';
import type { OwnVolume } from './lvm-volumes.ts';

/**
 * Makes a logical volume larger where it is smaller than asked. The new extents show what new
 * volumes of the pool show: zeros, unless volumes before were given up with the policy `none`.
 *
 * @param room - what the pool has now
 * @throws NoSpaceError when it cannot give the rest; the volume is as it was then
 */
export async function growVolume(
  { volume, lv }: OwnVolume,
  { bytes: wanted }: VolumeRequest,
  { change, options, room }: { change: Change; options: LvmOptions; room: PoolUsage },
): Promise<BackendVolume> {
  if (volume.bytes >= wanted) {
    return volume;
  }
  const allocatedBytes = allocatedFor(options, wanted);
  const more = minusBytes(allocatedBytes, volume.allocatedBytes);
  if (more > room.largest) {
    throw noSpace(change.pool, room, more);
  }
  const bytes = usableFor(options, wanted);
  await extendVolume(change, lv, bytes);
  return { ...volume, bytes, allocatedBytes };
}
