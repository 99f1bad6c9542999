import { imageBytesFor } from '../../src/backends/loop-space.ts';
import { bytes, type Bytes } from '../../src/model/bytes.ts';
import { volumeName } from '../../src/model/names.ts';
import { parseQuantity } from '../../src/model/quantity.ts';
import {
  isDeleting,
  type StoredClaim,
  type StoredPersistentVolume,
  type StoredVolume,
  View,
} from './cluster-objects.ts';
import type { Disk, Image } from './disk.ts';
import type { Simulation } from './simulation.ts';

/** What must never be while volumes grow, as it is now. */
export function growthViolations(simulation: Simulation): readonly string[] {
  const now = new View(simulation.server);
  return [
    ...now.volumes().flatMap((volume) => toldTooMuch(simulation, now, volume)),
    ...simulation.disks().flatMap((disk) => promisedTooMuch(now, disk)),
  ];
}

/** Nobody believes in bytes that are not on the disk. */
function toldTooMuch(simulation: Simulation, now: View, volume: StoredVolume): string[] {
  const { name } = volume.metadata;
  const image = imageOf(simulation, volume);
  if (image === undefined || isDeleting(volume)) {
    return [];
  }
  const claim = now.claimOf(volume.spec.claimRef.uid);
  const told: [string, number][] = [
    ['its LocalVolume', volume.status?.bytes ?? 0],
    ['its PersistentVolume', capacityOf(now.persistentVolume(name)?.spec)],
    ['its claim', capacityOf(claim?.status)],
  ];
  return told
    .filter(([, size]) => size > image.bytes)
    .map(([who, size]) => `${name} has ${image.bytes} bytes, ${who} says ${size}`);
}

/** What a volume was promised is there for it, whoever asks for room meanwhile. */
function promisedTooMuch(now: View, { node, pool, limit, images }: Disk): string[] {
  const promised = [...images.values()].map((image) => {
    const volume = now.volume(image.name);
    const isOwn = volume?.metadata.uid === image.volumeUid && !isDeleting(volume);
    const wanted = isOwn ? imageBytesFor(bytes(volume.spec.bytes)) : 0;
    return Math.max(image.allocatedBytes, wanted);
  });
  const sum = promised.reduce((total, each) => total + each, 0);
  return sum > limit ? [`pool ${pool} of ${node} has promised ${sum} of ${limit}`] : [];
}

/**
 * What is kept in a pool for growth that will not come: its volume was deleted by hand while its claim lives. It comes
 * free with the volume, since an agent may have been growing it at that moment.
 */
export function keptForNothing(simulation: Simulation, node: string, pool: string): number {
  const going = new View(simulation.server)
    .volumes()
    .filter((volume) => isDeleting(volume) && volume.spec.node === node);
  return going.reduce((sum, volume) => {
    const image = volume.spec.pool === pool ? imageOf(simulation, volume) : undefined;
    const wanted = imageBytesFor(bytes(volume.spec.bytes));
    return sum + (image ? Math.max(0, wanted - image.allocatedBytes) : 0);
  }, 0);
}

/** Claims that do not have what they ask for, although there is room for it. */
export function growthLeft(
  simulation: Simulation,
  freeIn: (node: string, pool: string) => number,
): readonly string[] {
  const now = new View(simulation.server);
  return now.claims().flatMap((claim) => {
    const volume = now.volume(volumeName(claim.metadata.uid));
    const persistentVolume = volume && now.persistentVolume(volume.metadata.name);
    const image = volume && imageOf(simulation, volume);
    if (!image || !persistentVolume || !areWell(claim, volume, persistentVolume)) {
      return [];
    }
    const { node, pool } = volume.spec;
    const asked = sizeOf(claim.spec?.resources?.requests?.['storage']);
    const more = imageBytesFor(asked) - image.allocatedBytes;
    const isTold = capacityOf(claim.status) >= Math.min(asked, image.bytes);
    const { name } = claim.metadata;
    return [
      ...(more > 0 && more <= freeIn(node, pool) ? [`claim ${name} could grow by ${more}`] : []),
      ...(isTold ? [] : [`claim ${name} is not told that it has grown to ${image.bytes}`]),
    ];
  });
}

function areWell(
  claim: StoredClaim,
  volume: StoredVolume,
  persistentVolume: StoredPersistentVolume,
): boolean {
  const isBound = claim.status?.phase === 'Bound' && volume.status?.phase === 'Ready';
  return isBound && ![claim, volume, persistentVolume].some(isDeleting);
}

function imageOf(simulation: Simulation, { metadata, spec }: StoredVolume): Image | undefined {
  const image = simulation.disk(spec.node, spec.pool).images.get(metadata.name);
  return image?.volumeUid === metadata.uid ? image : undefined;
}

function capacityOf(of: { capacity?: Record<string, string> } | undefined): Bytes {
  return sizeOf(of?.capacity?.['storage']);
}

function sizeOf(quantity: string | undefined): Bytes {
  const size = parseQuantity(quantity ?? '0');
  return size.ok ? size.value : bytes(0);
}
