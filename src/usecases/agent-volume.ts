import { apiVersion } from '../model/names.ts';
import type { LocalVolume, VolumeIdentity } from '../model/volume.ts';
import type { EncryptedStorage } from './encryption-ports.ts';
import type { MachineIdentity } from './machine-identity.ts';
import type { NodePool } from './node-pools.ts';
import type { Filesystems, NodeMeter, NodeVolumes } from './node-ports.ts';
import type { InTurn } from './one-at-a-time.ts';
import type { EventSink, Log, Now, ObjectRef } from './ports.ts';

export interface VolumeReconcilerParts {
  readonly node: string;
  readonly volumes: NodeVolumes;
  readonly pools: { get(name: string): NodePool | undefined };
  readonly reports: {
    /** The number of the first report that counts, or will count, a volume that exists. */
    generationOf(pool: string, volume: string): number;
    /** The number of the first report that counts, or will count, the pool as it is now. */
    nextGeneration(pool: string): number;
    /** What is on disk has changed. */
    changed(): void;
  };
  readonly machine: Pick<MachineIdentity, 'lossOf' | 'found' | 'calledLost'>;
  readonly filesystems: Pick<Filesystems, 'grow' | 'refuseUnknown' | 'isBlank' | 'blank' | 'make'>;
  readonly encryption: Pick<EncryptedStorage, 'ofVolume'>;
  readonly events: EventSink;
  readonly log: Log;
  readonly meter: NodeMeter;
  readonly now: Now;
  /** Purging something on disk and adopting it wait for each other here. */
  readonly rowOf: (key: string) => InTurn;
  /** Hears that a volume has been looked at, well or not. */
  readonly onSettled: (name: string) => void;
}

/** Data may be in it: it is looked for, and never made anew. */
export function wasMade({ status }: LocalVolume): boolean {
  return status.phase === 'Ready' || status.phase === 'Lost';
}

/** It adopts data that was never handed to its claim: whosever they are, they are not its own. */
export function isOnLoan({ spec, published }: LocalVolume): boolean {
  return spec.adopts !== undefined && !published;
}

export function identityOf({ name, uid }: LocalVolume): VolumeIdentity {
  return { name, volumeUid: uid };
}

export function volumeRef({ name, uid }: LocalVolume): ObjectRef {
  return { apiVersion, kind: 'LocalVolume', name, uid };
}

/** Warns where people look: at the volume and at its claim. */
export function warnOwners(
  volume: LocalVolume,
  reason: string,
  message: string,
  events: EventSink,
): void {
  const { namespace, name, uid } = volume.spec.claimRef;
  const claim = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid };
  events.warning(volumeRef(volume), reason, message);
  events.warning(claim, reason, message);
}
