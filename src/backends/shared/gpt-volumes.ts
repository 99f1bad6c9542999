import { MiB, roundUp, bytes, type Bytes } from '../../model/bytes.ts';
import { PermanentError } from '../../model/errors.ts';
import { volumeName } from '../../model/names.ts';
import { shown } from '../../model/shown.ts';
import type { VolumeIdentity } from '../../model/volume.ts';
import { ForeignVolumeError, type BackendVolume, type Stray } from '../../usecases/ports.ts';
import type { OwnDisk } from './gpt-disks.ts';
import { volumeType, type NewPartition, type Partition } from './gpt-table.ts';
import type { Region } from './zeros.ts';
import { ofUid } from './proven.ts';

/** A partition of ours, and where it is. */
export interface Placed {
  readonly on: OwnDisk;
  readonly partition: Partition;
}

export type PlacedVolume = Placed & { readonly volume: BackendVolume };
export type PlacedStray = Placed & { readonly stray: Stray };

export interface Partitions {
  readonly volumes: readonly PlacedVolume[];
  readonly strays: readonly PlacedStray[];
}

const uid = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const uidPattern = new RegExp(`^${uid}$`);
const namePattern = new RegExp(`^${volumeName(uid)}$`);

/** The size that a volume of `wanted` usable bytes has, and occupies. */
export function partitionBytesFor(wanted: Bytes): Bytes {
  return roundUp(bytes(Math.max(1, wanted)), MiB);
}

/**
 * What a partition says of itself when it is this volume: the uid of the claim is its GUID, the uid
 * of the LocalVolume its name.
 *
 * @throws PermanentError for a name or uid that no volume has
 */
export function partitionOf({ name, volumeUid }: VolumeIdentity, region: Region): NewPartition {
  if (!namePattern.test(name) || !uidPattern.test(volumeUid)) {
    throw new PermanentError(
      `${shown(name)} with uid ${shown(volumeUid)} cannot be a partition: both have to hold a UUID`,
    );
  }
  const where = { start: bytes(region.start), bytes: bytes(region.bytes) };
  return { ...where, type: volumeType, uuid: name.slice(volumeName('').length), name: volumeUid };
}

/**
 * All volumes and strays on the disks. Of two that say they are the same volume the one on a
 * selected disk is it: a disk that nobody selects can be a copy.
 */
export function partitionsOn(disks: readonly OwnDisk[]): Partitions {
  const placed = disks.flatMap((on) =>
    on.table.partitions
      .filter(({ type }) => type === volumeType)
      .map((partition) => ({ on, partition })),
  );
  const judged = placed.map((each) => ({ ...each, why: whyStray(each, placed) }));
  return {
    volumes: judged
      .filter(({ why }) => why === undefined)
      .map(({ on, partition }) => ({ on, partition, volume: toVolume(partition) })),
    strays: judged.flatMap(({ on, partition, why }) =>
      why === undefined ? [] : [{ on, partition, stray: toStray(on, partition, why) }],
    ),
  };
}

function whyStray({ on, partition }: Placed, all: readonly Placed[]): string | undefined {
  if (!uidPattern.test(partition.name)) {
    return `its name is ${shown(partition.name)}, which is no uid of a volume`;
  }
  const same = all.filter((each) => each.partition.uuid === partition.uuid);
  const best = same.filter((each) => each.on.selected === same.some((other) => other.on.selected));
  if (best.length === 1 && best[0]?.partition === partition) {
    return undefined;
  }
  const places = same.map((each) => `${each.on.disk.path} (partition ${each.partition.number})`);
  return same.length === 1
    ? undefined
    : `${places.join(' and ')} say that they are the same volume${on.selected ? '' : `; ${on.disk.path} is not selected`}`;
}

function toVolume({ uuid, name, bytes: size }: Partition): BackendVolume {
  return { name: volumeName(uuid), volumeUid: name, bytes: size, allocatedBytes: size };
}

function toStray({ disk }: OwnDisk, { uuid, name, ...partition }: Partition, why: string): Stray {
  const says = { name: volumeName(uuid), volumeUid: name };
  return {
    name: volumeName(uuid),
    bytes: partition.bytes,
    reason: `partition ${partition.number} of ${disk.path}: ${why}`,
    ...(uidPattern.test(name) && { says }),
  };
}

/** @throws ForeignVolumeError when the partition of that name is no volume */
export function recognise({ volumes, strays }: Partitions, name: string): PlacedVolume | undefined {
  const found = volumes.find(({ volume }) => volume.name === name);
  const stray = strays.find((each) => each.stray.name === name);
  if (found === undefined && stray !== undefined) {
    throw new ForeignVolumeError(`${stray.stray.reason}; it is left as it is`);
  }
  return found;
}

/** @throws ForeignVolumeError when the partition is another volume, or none */
export function ownVolume(
  partitions: Partitions,
  identity: VolumeIdentity,
): PlacedVolume | undefined {
  const where = ({ on, partition }: PlacedVolume): string =>
    `partition ${partition.number} of ${on.disk.path}`;
  return ofUid(recognise(partitions, identity.name), identity, where);
}
