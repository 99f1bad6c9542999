import { poolOfLabel, volumeName } from '../../src/model/names.ts';
import { bytes } from '../../src/model/bytes.ts';
import { parseQuantity } from '../../src/model/quantity.ts';
import { imageBytesFor } from '../../src/backends/loop-space.ts';
import {
  claimNames,
  isDeleting,
  type StoredClaim,
  type StoredPod,
  View,
} from './cluster-objects.ts';
import { growthLeft, keptForNothing } from './growth.ts';
import type { Simulation } from './simulation.ts';
import { nodeNames } from './user.ts';

/** What is not yet as it has to be once faults and wishes have ended; empty when all is well. */
export function unsettled(simulation: Simulation): readonly string[] {
  const now = new View(simulation.server);
  return [
    ...volumesLeft(simulation, now),
    ...imagesLeft(simulation, now),
    ...persistentVolumesLeft(now),
    ...claimsLeft(now),
    ...now.pods().flatMap((pod) => podLeft(simulation, now, pod)),
    ...growthLeft(simulation, (node, pool) => freeIn(simulation, node, pool)),
    ...wrongFigures(simulation),
  ];
}

function volumesLeft({ checks }: Simulation, now: View): string[] {
  return now.volumes().flatMap(({ metadata, spec, status }) => {
    const { name, annotations = {}, deletionTimestamp } = metadata;
    if (!now.claimOf(spec.claimRef.uid)) {
      const isKept = isRetained(now, name) || annotations['berth.dev/retained'] === 'true';
      return isKept && !deletionTimestamp ? [] : [`${name} outlives its claim`];
    }
    if (deletionTimestamp !== undefined) {
      return checks.deletedByHand.has(name) ? [] : [`${name} is deleted, and its claim lives`];
    }
    const isPublished = annotations['berth.dev/published'] === 'true';
    return isPublished && status?.phase === 'Ready'
      ? []
      : [`${name} is ${status?.phase ?? 'Pending'}, ${isPublished ? '' : 'not '}published`];
  });
}

function isRetained(now: View, name: string): boolean {
  const volume = now.persistentVolume(name);
  return (
    volume?.spec?.persistentVolumeReclaimPolicy === 'Retain' &&
    volume.metadata.deletionTimestamp === undefined
  );
}

function imagesLeft(simulation: Simulation, now: View): string[] {
  return simulation
    .disks()
    .flatMap(({ node, pool, images }) =>
      [...images.values()]
        .filter(({ name, volumeUid }) => now.volume(name)?.metadata.uid !== volumeUid)
        .map(({ name }) => `image ${name} in ${pool} of ${node} belongs to nobody`),
    );
}

function persistentVolumesLeft(now: View): string[] {
  return now
    .persistentVolumes()
    .filter(({ metadata, spec }) => {
      const isKept = isRetained(now, metadata.name);
      return !now.claimOf(spec?.claimRef?.uid) && !isKept;
    })
    .map(({ metadata }) => `PersistentVolume ${metadata.name} outlives its claim`);
}

function claimsLeft(now: View): string[] {
  const used = new Set(now.pods().flatMap((pod) => (pod.spec?.nodeName ? claimNames(pod) : [])));
  return now
    .claims()
    .filter(({ metadata }) => metadata.deletionTimestamp && !used.has(metadata.name))
    .map(({ metadata }) => `claim ${metadata.name} is stuck`);
}

/** What a pod's claims ask, or nothing where it cannot run for a reason of its owner's making. */
interface Asked {
  readonly node: string | undefined;
  readonly sums: ReadonlyMap<string, number>;
}

function askedBy(now: View, pod: StoredPod): Asked | undefined {
  const claims = claimNames(pod).map((name) => now.claim(name));
  const usable = claims.filter((claim) => claim !== undefined);
  if (usable.length < claims.length || !usable.every((claim) => isUsable(now, claim, pod))) {
    return undefined;
  }
  const volumes = usable.map(({ metadata }) => now.volume(volumeName(metadata.uid)));
  const [node, ...others] = new Set(
    volumes.flatMap((volume) => (volume ? [volume.spec.node] : [])),
  );
  const sums = new Map<string, number>();
  for (const [i, { spec }] of usable.entries()) {
    const pool = spec?.storageClassName === 'slow' ? 'slow' : 'fast';
    const size = parseQuantity(spec?.resources?.requests?.['storage'] ?? '');
    const needed = volumes[i] ? 0 : imageBytesFor(size.ok ? size.value : bytes(0));
    sums.set(pool, (sums.get(pool) ?? 0) + needed);
  }
  return others.length > 0 ? undefined : { node, sums };
}

function isUsable(now: View, claim: StoredClaim, pod: StoredPod): boolean {
  const { uid, ownerReferences = [] } = claim.metadata;
  const volume = now.volume(volumeName(uid));
  const isForeign = ownerReferences.some((owner) => owner.uid !== pod.metadata.uid);
  const isGoing = isDeleting(claim) || (volume !== undefined && isDeleting(volume));
  return !isForeign && !isGoing && claim.status?.phase !== 'Lost';
}

function podLeft(simulation: Simulation, now: View, pod: StoredPod): string[] {
  const { name } = pod.metadata;
  if (isDeleting(pod)) {
    return [`pod ${name} is stuck`];
  }
  const asked = pod.status?.phase === 'Running' ? undefined : askedBy(now, pod);
  if (!asked) {
    return [];
  }
  const chosen = [pod.spec?.nodeName, asked.node].filter((node) => node !== undefined);
  const fitting = nodeNames.find(
    (node) =>
      chosen.every((one) => one === node) &&
      [...asked.sums].every(([pool, needed]) => needed <= freeIn(simulation, node, pool)),
  );
  return fitting === undefined ? [] : [`pod ${name} waits, and fits on ${fitting}`];
}

/** What can really be had: nothing where the pool does not apply to the node. */
function freeIn(simulation: Simulation, node: string, pool: string): number {
  const { spec } = simulation.server.find('storagepools', pool) as unknown as {
    spec: { nodeSelector: Record<string, string>; loop: { size: string } };
  };
  const labels = simulation.server.find('nodes', node)?.metadata.labels ?? {};
  const applies = Object.entries(spec.nodeSelector).every(([key, value]) => labels[key] === value);
  const size = parseQuantity(spec.loop.size);
  return applies && size.ok ? size.value - simulation.disk(node, pool).allocated : 0;
}

function wrongFigures(simulation: Simulation): string[] {
  return [...simulation.controls].flatMap(([name, { parts }]) =>
    nodeNames.flatMap((node) => {
      const told = Object.keys(parts.nodes.node(node)?.labels ?? {}).map(poolOfLabel);
      return ['fast', 'slow'].flatMap((pool) => {
        const room = parts.ledger.room({ node, pool });
        const kept = keptForNothing(simulation, node, pool);
        const free = Math.max(0, freeIn(simulation, node, pool) - kept);
        const isRight = (room?.free ?? 0) === free && (room?.inFlight ?? kept) === kept;
        const isTold = room === undefined || told.includes(pool);
        return isRight && isTold
          ? []
          : [`${name} takes ${room?.free ?? 'nothing'} for free in ${node}/${pool}, not ${free}`];
      });
    }),
  );
}
