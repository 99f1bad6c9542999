import { bytes, minusBytes, sumBytes, type Bytes } from '../model/bytes.ts';
import type { Claim } from '../model/claim.ts';
import { deviceBytesFor } from '../model/encryption.ts';
import type { LocalVolume } from '../model/volume.ts';
import type { NodeFacts, PoolFacts } from '../scheduling/filter.ts';
import type { Room } from '../scheduling/room.ts';
import type { Lookup, PodStore } from './cluster.ts';

export interface FreedSpacePorts {
  readonly lookup: Lookup;
  readonly pods: Pick<PodStore, 'read'>;
}

/** A node and all the volumes that it has. */
export interface FilledNode {
  readonly facts: NodeFacts;
  readonly volumes: readonly LocalVolume[];
}

interface Tally {
  given: number;
  readonly freed: Bytes[];
}

/**
 * The node as it will be without the volumes that go by themselves: those whose claim is gone,
 * and those of generic ephemeral volumes whose pod is going, or one of `victims`.
 *
 * The claim of any other volume outlives the pods that use it, and keeps its space.
 */
export async function withFreedSpace(
  { facts, volumes }: FilledNode,
  victims: readonly string[],
  ports: FreedSpacePorts,
): Promise<NodeFacts> {
  const tallies = new Map<string, Tally>();
  for (const volume of volumes) {
    const { pool } = volume.spec;
    const { allocatedBytes } = volume.status;
    const allocated =
      allocatedBytes ?? facts.pool(pool)?.allocatedFor(deviceBytesFor(volume.spec)) ?? bytes(0);
    const tally = tallies.get(pool) ?? { given: 0, freed: [] };
    tallies.set(pool, tally);
    tally.given += allocated;
    if (await goes(volume, victims, ports)) {
      tally.freed.push(allocated);
    }
  }
  const { name, labels, alive, state, poolNames } = facts;
  const pool = (asked: string): PoolFacts | undefined => {
    const known = facts.pool(asked);
    const tally = tallies.get(asked);
    return known?.room && tally ? widened(known, known.room, tally) : known;
  };
  return { name, labels, alive, state, poolNames, pool };
}

/** Where the pieces lie is known only in a pool that is all in one piece. */
function widened(
  { healthy, problem, gives, allocatedFor }: PoolFacts,
  { total, free, largest, inFlight }: Room,
  { given, freed }: Tally,
): PoolFacts {
  const back = sumBytes(freed);
  // A pool may have given out more than its total, since that was lowered.
  const left = minusBytes(total, Math.max(0, given - back));
  const more = bytes(Math.max(free, Math.min(left, free + back)));
  const piece = largest === free ? more : bytes(Math.min(more, Math.max(largest, ...freed)));
  const room = { total, free: more, largest: piece, inFlight };
  return { healthy, problem, gives, allocatedFor, room };
}

async function goes(
  { name, spec, deleting, published }: LocalVolume,
  victims: readonly string[],
  { lookup, pods }: FreedSpacePorts,
): Promise<boolean> {
  const { uid, namespace, name: claimName } = spec.claimRef;
  const claim = await lookup.claim(namespace, claimName);
  if (claim?.ref.uid !== uid) {
    return isTakenBack(name, undefined, lookup);
  }
  if (deleting && !published) {
    return true;
  }
  const { ownerPod } = claim;
  if (!ownerPod || !(await isTakenBack(name, claim, lookup))) {
    return false;
  }
  if (victims.includes(ownerPod.uid)) {
    return true;
  }
  const pod = await pods.read(namespace, ownerPod.name);
  return pod?.uid !== ownerPod.uid || pod.deleting;
}

/** With `Retain` the volume outlives even its claim. */
async function isTakenBack(
  name: string,
  claim: Claim | undefined,
  lookup: Lookup,
): Promise<boolean> {
  const volume = await lookup.persistentVolume(name);
  const policy = volume ?? (claim && (await lookup.volumeClass(claim.className)));
  return policy?.reclaimPolicy !== 'Retain';
}
