import type { Pod } from '../../src/kube/objects.ts';
import { poolOfLabel, schedulerName, volumeName } from '../../src/model/names.ts';
import { bytes } from '../../src/model/bytes.ts';
import { parseQuantity } from '../../src/model/quantity.ts';
import { imageBytesFor } from '../../src/backends/loop-space.ts';
import type { Stored } from './api-server.ts';
import { claimNames, view, type View } from './cluster-objects.ts';
import type { Simulation } from './simulation.ts';
import { nodeNames } from './user.ts';

/** What is not yet as it has to be once faults and wishes have ended; empty when all is well. */
export function unsettled(simulation: Simulation): readonly string[] {
  const now = view(simulation.server);
  return [
    ...volumesLeft(simulation, now),
    ...imagesLeft(simulation, now),
    ...persistentVolumesLeft(now),
    ...claimsLeft(now),
    ...now.pods().flatMap((pod) => podLeft(simulation, now, pod)),
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
  return simulation.disks().flatMap(({ node, pool, images }) =>
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

function podLeft(simulation: Simulation, now: View, pod: Stored & Pod): string[] {
  const { name, deletionTimestamp } = pod.metadata;
  if (deletionTimestamp !== undefined) {
    return [`pod ${name} is stuck`];
  }
  if (pod.status?.phase === 'Running') {
    return [];
  }
  const asked = askedBy(now, pod);
  const chosen = pod.spec?.nodeName ?? asked?.node;
  const fitting = nodeNames.find(
    (node) =>
      asked &&
      (chosen === undefined || chosen === node) &&
      [...asked.sums].every(([pool, needed]) => needed <= freeIn(simulation, node, pool)),
  );
  const isContradiction = asked?.node !== undefined && chosen !== asked.node;
  return fitting === undefined || isContradiction
    ? []
    : [`pod ${name} waits, and fits on ${fitting}`];
}

function askedBy(now: View, pod: Stored & Pod): Asked | undefined {
  let node: string | undefined;
  const sums = new Map<string, number>();
  for (const claim of claimNames(pod).map((name) => now.claim(name))) {
    const { uid = '', deletionTimestamp, ownerReferences } = claim?.metadata ?? {};
    const volume = now.volume(volumeName(uid));
    const isForeign = ownerReferences?.some((owner) => owner.uid !== pod.metadata.uid);
    const isUnusable = deletionTimestamp ?? volume?.metadata.deletionTimestamp;
    if (!claim || isUnusable || isForeign || claim.status?.phase === 'Lost') {
      return undefined;
    }
    if (volume && node !== undefined && node !== volume.spec.node) {
      return undefined;
    }
    node ??= volume?.spec.node;
    if (!volume) {
      const pool = claim.spec?.storageClassName === 'slow' ? 'slow' : 'fast';
      const size = parseQuantity(claim.spec?.resources?.requests?.['storage'] ?? '');
      const needed = imageBytesFor(size.ok ? size.value : bytes(0));
      sums.set(pool, (sums.get(pool) ?? 0) + needed);
    }
  }
  return { node, sums };
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
        const free = freeIn(simulation, node, pool);
        const isRight = (room?.free ?? 0) === free && (room?.inFlight ?? 0) === 0;
        const isTold = room === undefined || told.includes(pool);
        return isRight && isTold
          ? []
          : [`${name} takes ${room?.free ?? 'nothing'} for free in ${node}/${pool}, not ${free}`];
      });
    }),
  );
}

/** Pods that nobody but our own scheduler places; for texts of failures. */
export function describePods(now: View): string {
  return now
    .pods()
    .map(({ metadata, spec, status }) => {
      const by = spec?.schedulerName === schedulerName ? 'berth' : 'other';
      return `${metadata.name} (${by}) ${status?.phase ?? ''} on ${spec?.nodeName ?? 'no node'}`;
    })
    .join(', ');
}
