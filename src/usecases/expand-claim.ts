import { formatBytes, minusBytes, type Bytes } from '../model/bytes.ts';
import { claimText, type Claim } from '../model/claim.ts';
import { deviceBytesFor } from '../model/encryption.ts';
import { volumeName } from '../model/names.ts';
import { err, ok, type Result } from '../model/result.ts';
import { whyNotGrownTo, type LocalVolume } from '../model/volume.ts';
import type { PoolFacts } from '../scheduling/filter.ts';
import type { Ledger, PoolId } from '../scheduling/ledger.ts';
import type {
  ClaimStore,
  NodeReader,
  PersistentVolume,
  PersistentVolumeStore,
  VolumeStore,
} from './cluster.ts';
import type { Reconcile } from './controller.ts';
import { nextStep } from './expansion-step.ts';
import type { EventSink, ObjectRef } from './ports.ts';

export interface ExpandClaimPorts {
  readonly claims: Pick<ClaimStore, 'get' | 'setCapacity'>;
  readonly volumes: Pick<VolumeStore, 'get' | 'promise' | 'waitUntil'>;
  readonly persistentVolumes: Pick<PersistentVolumeStore, 'get' | 'setCapacity'>;
  readonly nodes: NodeReader;
  readonly ledger: Ledger;
  readonly events: EventSink;
}

export interface ClaimExpansion {
  /** For a claim, by `namespace/name`. */
  readonly reconcile: Reconcile;
  /** The claims whose volumes on this node wait for room, or for their agent. */
  readonly waitingOn: (node: string) => readonly string[];
}

/** A bound claim of ours with all that stands behind it. */
interface Held {
  readonly claim: Claim;
  readonly volume: LocalVolume;
  readonly persistentVolume: PersistentVolume;
}

/** How soon to look again at what another hand has changed. */
const changedMs = 200;
/** How long our own write may take to come back to us. */
const seenTimeoutMs = 10_000;

/**
 * Lets volumes grow when their claims ask for more.
 *
 *     claim asks -> room is kept -> LocalVolume.spec.bytes -> agent: status.bytes
 *                -> PersistentVolume.spec.capacity -> claim: status.capacity
 *
 * Every step shows by what the objects say that it is done, so any replica goes on where another
 * one has stopped. A promise is never taken back: an agent may be keeping it at this moment.
 */
export function expandClaims(ports: ExpandClaimPorts): ClaimExpansion {
  const { claims, volumes, persistentVolumes, ledger, events } = ports;
  const waiting = new Map<string, { readonly node: string; readonly told: string }>();

  function held(key: string): Held | undefined {
    const [namespace = '', name = ''] = key.split('/');
    const claim = claims.get(namespace, name);
    const volume = claim && volumes.get(volumeName(claim.ref.uid));
    const persistentVolume = volume && persistentVolumes.get(volume.name);
    return claim && volume && persistentVolume && isOneAnothers(claim, volume, persistentVolume)
      ? { claim, volume, persistentVolume }
      : undefined;
  }

  /** Tells once per size that is asked for, and why, that it cannot be given yet. */
  function wait({ claim, volume }: Held, wanted: Bytes, { kind, message }: Delay): void {
    const told = `${wanted} ${kind}`;
    const key = claimText(claim.ref);
    if (waiting.get(key)?.told !== told) {
      const text = `${message}; the volume stays as it is, and grows when that has changed`;
      events.warning(claimObject(claim), 'VolumeExpansionWaits', text);
    }
    waiting.set(key, { node: volume.spec.node, told });
  }

  async function promise(all: Held, wanted: Bytes): Promise<number | undefined> {
    const { claim, volume } = all;
    const { node, pool, bytes } = volume.spec;
    const growth = growthOf(volume, wanted, ports);
    if (!growth.ok) {
      wait(all, wanted, growth.error);
      return undefined;
    }
    // A reservation of its own: that of the claim itself stands aside for its volume.
    const claimUid = `${claim.ref.uid}+growth`;
    const reserved = ledger.reserve([{ node, pool, claimUid, allocated: growth.value }]);
    if (!reserved.ok) {
      wait(all, wanted, describeLack(all, growth.value, ports));
      return undefined;
    }
    waiting.delete(claimText(claim.ref));
    try {
      if (!(await volumes.promise(volume, wanted))) {
        return changedMs;
      }
      const sizes = `from ${formatBytes(bytes)} to ${formatBytes(wanted)}`;
      const text = `${sizes} in pool ${pool} of node ${node}`;
      events.normal(claimObject(claim), 'VolumeExpanding', text);
      // From then on the ledger counts it with the volume.
      const isSeen = (now: LocalVolume | undefined): boolean =>
        now?.uid !== volume.uid || now.spec.bytes >= wanted;
      await volumes.waitUntil(volume.name, isSeen, seenTimeoutMs);
      return undefined;
    } finally {
      ledger.release(claimUid);
    }
  }

  async function publish(
    { claim, persistentVolume }: Held,
    capacity: Bytes,
  ): Promise<number | undefined> {
    const isShown =
      persistentVolume.capacity !== undefined && persistentVolume.capacity >= capacity;
    if (!isShown && !(await persistentVolumes.setCapacity(persistentVolume, capacity))) {
      return changedMs;
    }
    if (!(await claims.setCapacity(claim, capacity))) {
      return changedMs;
    }
    if (claim.capacity !== capacity) {
      events.normal(claimObject(claim), 'VolumeExpanded', `it has ${formatBytes(capacity)} now`);
    }
    return undefined;
  }

  async function reconcile(key: string): Promise<number | undefined> {
    const all = held(key);
    const step = all && nextStep(all);
    if (step?.kind !== 'promise') {
      waiting.delete(key);
    }
    if (all === undefined || step === undefined) {
      return undefined;
    }
    return step.kind === 'promise' ? promise(all, step.bytes) : publish(all, step.bytes);
  }

  return {
    reconcile,
    waitingOn: (node) => [...waiting].flatMap(([key, at]) => (at.node === node ? [key] : [])),
  };
}

function isOneAnothers(
  { ref, volumeName: bound, deleting }: Claim,
  volume: LocalVolume,
  persistentVolume: PersistentVolume,
): boolean {
  const isClaims = volume.spec.claimRef.uid === ref.uid && persistentVolume.claimUid === ref.uid;
  const goes = deleting || volume.deleting || persistentVolume.deleting;
  return isClaims && bound === volume.name && persistentVolume.ours && volume.published && !goes;
}

interface Delay {
  readonly kind: string;
  readonly message: string;
}

/** What the pool has to give beyond what the volume has been promised, or why it gives nothing. */
function growthOf(
  { spec, status }: LocalVolume,
  wanted: Bytes,
  { nodes }: ExpandClaimPorts,
): Result<Bytes, Delay> {
  const why = whyNotGrownTo(wanted, spec);
  if (why !== undefined) {
    return err({ kind: 'size', message: why });
  }
  const found = usablePool(spec, nodes);
  if (!found.ok) {
    return found;
  }
  const pool = found.value;
  const counted = Math.max(status.allocatedBytes ?? 0, pool.allocatedFor(deviceBytesFor(spec)));
  const growth = minusBytes(pool.allocatedFor(deviceBytesFor({ ...spec, bytes: wanted })), counted);
  if (growth > 0 && pool.fixedSize) {
    const why = `volumes of pool ${spec.pool} cannot grow: its backend makes them of one size for ever`;
    return err({ kind: 'fixed', message: why });
  }
  return ok(growth);
}

function usablePool({ node, pool: name }: PoolId, nodes: NodeReader): Result<PoolFacts, Delay> {
  const facts = nodes.node(node);
  if (!facts?.alive) {
    const why = facts ? 'the agent of the node is silent' : 'the node is not known';
    return err({ kind: 'node', message: `node ${node}: ${why}` });
  }
  const pool = facts.pool(name);
  if (pool?.healthy) {
    return ok(pool);
  }
  const why = pool ? (pool.problem ?? 'is not healthy') : 'is not on the node';
  return err({ kind: 'pool', message: `node ${node}: pool ${name} ${why}` });
}

function describeLack({ claim, volume }: Held, needed: Bytes, { ledger }: ExpandClaimPorts): Delay {
  const { node, pool } = volume.spec;
  const room = ledger.room({ node, pool });
  const has = room
    ? `${node} has ${formatBytes(room.free)} of ${formatBytes(room.total)} free in ${pool}`
    : `nothing is known of pool ${pool} of node ${node}`;
  const needs = `needs ${formatBytes(needed)} more in pool ${pool} for ${claimText(claim.ref)}`;
  return { kind: 'room', message: `${needs}; ${has}` };
}

function claimObject({ ref }: Claim): ObjectRef {
  return { apiVersion: 'v1', kind: 'PersistentVolumeClaim', ...ref };
}
