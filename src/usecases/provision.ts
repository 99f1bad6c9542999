import { describeError } from '../model/errors.ts';
import { volumeName } from '../model/names.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { LocalVolume, VolumeSpec } from '../model/volume.ts';
import { formatBytes } from '../model/bytes.ts';
import type { Ledger, Reservation } from '../scheduling/ledger.ts';
import type { NodeReader, PersistentVolumeStore, VolumeStore } from './cluster.ts';
import type { Log } from './ports.ts';
import { describeConflict, describeShortage, type ProvisionFailure } from './provision-failure.ts';
import type { UnboundClaim } from './resolve-needs.ts';

export interface ProvisionPorts {
  readonly ledger: Ledger;
  readonly nodes: NodeReader;
  readonly volumes: VolumeStore;
  readonly persistentVolumes: PersistentVolumeStore;
  readonly log: Log;
  /** How long the agent may take to make the volumes. */
  readonly readyTimeoutMs: number;
}

/** How long the removal of an unused volume of the same claim is awaited. */
const goneTimeoutMs = 5_000;

/** `reserved` is called as soon as the space is promised, long before the volumes exist. */
export type Provision = (
  claims: readonly UnboundClaim[],
  node: string,
  reserved?: () => void,
) => Promise<Result<void, ProvisionFailure>>;

/**
 * Makes the volumes of all `claims` on one node, and their PersistentVolumes, or nothing.
 *
 *     reserve -> LocalVolumes -> Ready -> published -> PersistentVolumes
 *
 * May be repeated after any break: each step finds what an earlier call has left. Until a
 * volume is marked published nothing points at it and it can be given back; from then on it
 * belongs to its claim.
 *
 * @throws when the API server fails; everything not published is given back first
 */
export function provision(ports: ProvisionPorts): Provision {
  return async (claims, node, onReserved) => {
    const reservations = reservationsOf(claims, node, ports.nodes);
    if (!reservations.ok) {
      return reservations;
    }
    const reserved = ports.ledger.reserve(reservations.value);
    if (!reserved.ok) {
      return err(describeShortage(reserved.error));
    }
    onReserved?.();
    const made: LocalVolume[] = [];
    try {
      const done = await makeAll(claims, node, ports, made);
      if (!done.ok) {
        await giveBack(made, ports);
      }
      return done;
    } catch (error) {
      await giveBack(made, ports);
      throw error;
    } finally {
      reservations.value.forEach(({ claimUid }) => ports.ledger.release(claimUid));
    }
  };
}

function reservationsOf(
  claims: readonly UnboundClaim[],
  node: string,
  nodes: NodeReader,
): Result<readonly Reservation[], ProvisionFailure> {
  const facts = nodes.node(node);
  if (!facts?.alive) {
    const why = facts ? 'the agent of the node is silent' : 'the node is not known';
    return err({ kind: 'no-room', message: `node ${node}: ${why}` });
  }
  const reservations: Reservation[] = [];
  for (const { need } of claims) {
    const pool = facts.pool(need.pool);
    if (!pool?.healthy) {
      const why = pool ? (pool.problem ?? 'is not healthy') : 'is not on the node';
      return err({ kind: 'no-room', message: `node ${node}: pool ${need.pool} ${why}` });
    }
    const allocated = pool.allocatedFor(need.bytes);
    reservations.push({ claimUid: need.claimUid, node, pool: need.pool, allocated });
  }
  return ok(reservations);
}

async function makeAll(
  claims: readonly UnboundClaim[],
  node: string,
  ports: ProvisionPorts,
  made: LocalVolume[],
): Promise<Result<void, ProvisionFailure>> {
  const begun = await allSettled(
    claims.map(async (one) => {
      const spec = specOf(one, node);
      const volume = await ensureVolume(volumeName(one.claim.ref.uid), spec, ports);
      const conflict = describeConflict(volume, spec);
      if (conflict === undefined) {
        made.push(volume);
      }
      return conflict;
    }),
  );
  const conflict = begun.find((text) => text !== undefined);
  if (conflict !== undefined) {
    return err({ kind: 'elsewhere', message: conflict });
  }
  const ready = await allSettled(made.map((volume) => awaitReady(volume, ports)));
  const failure = ready.find((one) => !one.ok);
  if (failure && !failure.ok) {
    return failure;
  }
  const handed = await allSettled(claims.map((one) => handOver(one, ports)));
  return handed.find((one) => !one.ok) ?? ok(undefined);
}

/** One that is just being given back, by an attempt on another node, is let go first. */
async function ensureVolume(
  name: string,
  spec: VolumeSpec,
  { volumes }: ProvisionPorts,
): Promise<LocalVolume> {
  const volume = await volumes.ensure(name, spec);
  if (!volume.deleting) {
    return volume;
  }
  await volumes.waitUntil(name, (now) => now?.uid !== volume.uid, goneTimeoutMs);
  return volumes.ensure(name, spec);
}

/** Lets every part come to its end before the first failure is thrown: nothing runs on unseen. */
async function allSettled<T>(parts: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(parts);
  return results.map((result) => {
    if (result.status === 'rejected') {
      throw result.reason;
    }
    return result.value;
  });
}

function specOf({ claim, parameters, need }: UnboundClaim, node: string): VolumeSpec {
  const { pool, fsType, erase } = parameters;
  const { volumeMode, ref: claimRef } = claim;
  return { node, pool, bytes: need.bytes, volumeMode, fsType, claimRef, erase };
}

async function awaitReady(
  { name, uid, spec }: LocalVolume,
  { volumes, readyTimeoutMs }: ProvisionPorts,
): Promise<Result<void, ProvisionFailure>> {
  // Memory may still hold a volume that had this name before: its fate says nothing of this one.
  const settled = (volume: LocalVolume | undefined): boolean =>
    volume?.uid === uid && (volume.deleting || volume.status.phase !== 'Pending');
  await volumes.waitUntil(name, settled, readyTimeoutMs);
  const known = volumes.get(name);
  const volume = known?.uid === uid ? known : undefined;
  if (volume?.status.phase === 'Ready' && !volume.deleting) {
    return ok(undefined);
  }
  const said = volume?.status.message ?? `no answer from its agent within ${readyTimeoutMs} ms`;
  const size = formatBytes(spec.bytes);
  const what = `node ${spec.node} could not make ${size} in pool ${spec.pool}: ${said}`;
  return err({ kind: 'not-made', message: what });
}

async function handOver(
  { claim, volumeClass }: UnboundClaim,
  { volumes, persistentVolumes }: ProvisionPorts,
): Promise<Result<void, ProvisionFailure>> {
  const name = volumeName(claim.ref.uid);
  const volume = volumes.get(name);
  const published =
    volume !== undefined && (volume.published || (await publish(name, volume, volumes)));
  if (!published) {
    const message = `volume ${name} was changed by another hand while it was made`;
    return err({ kind: 'changed', message });
  }
  await persistentVolumes.ensure(volume, claim, volumeClass);
  return ok(undefined);
}

/** A status write of the agent may have come between; then what is there now decides. */
async function publish(name: string, seen: LocalVolume, volumes: VolumeStore): Promise<boolean> {
  if (await volumes.markPublished(seen)) {
    return true;
  }
  const now = await volumes.read(name);
  if (now?.uid !== seen.uid || now.deleting) {
    return false;
  }
  return now.published || volumes.markPublished(now);
}

/** Gives back what nothing points at; after a crash here the loops find it and do the same. */
async function giveBack(made: readonly LocalVolume[], ports: ProvisionPorts): Promise<void> {
  for (const { name, uid } of made) {
    try {
      const volume = await ports.volumes.read(name);
      // One that adopts is not of this call's making: the loop hands it over.
      const mayGo = volume?.uid === uid && !volume.published && !volume.spec.adopts;
      if (mayGo && (volume.deleting || (await ports.volumes.markDeleted(volume)))) {
        await ports.volumes.releaseToAgent(volume);
      }
    } catch (error) {
      const reason = describeError(error);
      ports.log.warn('a volume was not given back yet, the loops will', { name, reason });
    }
  }
}
