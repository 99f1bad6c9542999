import { formatBytes } from '../model/bytes.ts';
import { deviceBytesFor } from '../model/encryption.ts';
import { hostnameLabel } from '../model/names.ts';
import { volumeName } from '../model/names.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { LocalVolume } from '../model/volume.ts';
import type { Ledger, Reservation } from '../scheduling/ledger.ts';
import { allSettled } from './all-settled.ts';
import { beginVolumes } from './begin-volumes.ts';
import type { NodeReader, PersistentVolumeStore, VolumeStore } from './cluster.ts';
import { giveBackAll } from './give-back.ts';
import { handOverAll } from './hand-over.ts';
import type { Log } from './ports.ts';
import { changedMeanwhile, describeShortage, type ProvisionFailure } from './provision-failure.ts';
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

/** `reserved` is called as soon as the space is promised, long before the volumes exist. */
export type Provision = (
  claims: readonly UnboundClaim[],
  node: string,
  reserved?: () => void,
) => Promise<Result<void, ProvisionFailure>>;

/**
 * Makes the volumes of all `claims` on one node, and their PersistentVolumes, or nothing.
 *
 *     reserve -> LocalVolumes -> all Ready -> first published -> others published
 *                                                             -> PersistentVolumes
 *
 * May be repeated after any break: each step finds what an earlier call has left. Until the
 * first volume is marked published nothing points at any of them and all can be given back;
 * that one mark hands over all of them, since the others follow it. From then on their pod is
 * tied to the node, and none of them gives up its space there before its claim goes: the next
 * attempt has nothing left to do that could be refused.
 *
 * @throws when the API server fails; everything not published is given back first
 */
export function provision(ports: ProvisionPorts): Provision {
  return async (claims, node, onReserved) => {
    const unmade = claims.filter((one) => !isKept(one, node, ports.volumes));
    const reservations =
      unmade.length > 0
        ? reservationsOf(unmade, node, ports.nodes)
        : ok<readonly Reservation[]>([]);
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
        await giveBackAll(made, ports);
      }
      return done;
    } catch (error) {
      await giveBackAll(made, ports);
      throw error;
    } finally {
      reservations.value.forEach(({ claimUid }) => ports.ledger.release(claimUid));
    }
  };
}

/**
 * It has its space, and nobody takes it back, since it is published or follows one that is: its way
 * is gone to the end, whatever the pool says of new volumes.
 */
function isKept({ need }: UnboundClaim, node: string, volumes: VolumeStore): boolean {
  const volume = volumes.get(volumeName(need.claimUid));
  if (volume === undefined || volume.deleting || volume.spec.node !== node) {
    return false;
  }
  const { published, follows } = volume;
  const first = follows && volumes.get(follows.name);
  return published || (first?.uid === follows?.uid && first?.published === true);
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
  if (!facts.labels[hostnameLabel]) {
    const why = `has no label ${hostnameLabel}, which its volumes need`;
    return err({ kind: 'no-room', message: `node ${node} ${why}` });
  }
  const reservations: Reservation[] = [];
  for (const { need } of claims) {
    const pool = facts.pool(need.pool);
    if (!pool?.healthy) {
      const why = pool ? (pool.problem ?? 'is not healthy') : 'is not on the node';
      return err({ kind: 'no-room', message: `node ${node}: pool ${need.pool} ${why}` });
    }
    const allocated = pool.allocatedFor(deviceBytesFor(need));
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
  const begun = await beginVolumes(claims, node, ports.volumes, made);
  if (!begun.ok) {
    return begun;
  }
  const ready = await allSettled(made.map((volume) => awaitReady(volume, ports)));
  const failure = ready.find((one) => !one.ok);
  if (failure && !failure.ok) {
    return failure;
  }
  return handOverAll(claims, made, ports);
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
  if (volume?.deleting) {
    return changedMeanwhile(name);
  }
  const said = volume?.status.message ?? `no answer from its agent within ${readyTimeoutMs} ms`;
  const size = formatBytes(spec.bytes);
  const what = `node ${spec.node} could not make ${size} in pool ${spec.pool}: ${said}`;
  return err({ kind: 'not-made', message: what });
}
