import type { VolumeIdentity } from '../model/volume.ts';
import type { LuksHeader, OnDevice } from './encryption-ports.ts';
import { ForeignVolumeError } from './ports.ts';

/** What is known of a volume beside its device. */
interface Known {
  /** It was never handed to anybody. */
  readonly isNew: boolean;
  readonly adopts?: VolumeIdentity | undefined;
}

/**
 * How a device becomes the open volume. Only a volume that was never handed to anybody is formatted,
 * and only where it has no header yet or one of its own that was never finished: whatever else is
 * wrong, nothing is ever formatted again.
 *
 * @throws ForeignVolumeError when what is on the device is not the volume
 */
export function wayToOpen(
  header: LuksHeader | undefined,
  at: OnDevice,
  known: Known,
): 'format' | 'open' | 'rename' {
  if (mayFormat(header, at, known)) {
    return 'format';
  }
  const { device } = at;
  if (header === undefined) {
    throw new ForeignVolumeError(`${device} has no LUKS header: nothing encrypted is there`);
  }
  if (header.partial || header.keys === 0) {
    const why = header.partial ? 'was never finished' : 'has no key any more';
    throw new ForeignVolumeError(`the LUKS header of ${device} ${why}: nobody can read it`);
  }
  if (isOf(header, at)) {
    return 'open';
  }
  const { owner } = header;
  if (owner !== undefined && isAdopting(known)) {
    return 'rename';
  }
  const whose = owner ? `${owner.name} with uid ${owner.volumeUid}` : 'something else';
  throw new ForeignVolumeError(`the LUKS header of ${device} is of ${whose}; it is left as it is`);
}

function mayFormat(header: LuksHeader | undefined, at: OnDevice, known: Known): boolean {
  const isBegunAtMost = header === undefined || (header.partial && isOf(header, at));
  return known.isNew && known.adopts === undefined && isBegunAtMost;
}

function isAdopting({ isNew, adopts }: Known): boolean {
  return isNew && adopts !== undefined;
}

function isOf({ owner }: LuksHeader, { name, volumeUid }: VolumeIdentity): boolean {
  return owner?.name === name && owner.volumeUid === volumeUid;
}
