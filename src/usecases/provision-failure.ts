import { formatBytes } from '../model/bytes.ts';
import { claimText } from '../model/claim.ts';
import { err, type Result } from '../model/result.ts';
import type { LocalVolume, VolumeSpec } from '../model/volume.ts';
import type { Shortage } from '../scheduling/ledger.ts';

/** Why the volumes could not be made; whatever this call had begun is undone. */
export interface ProvisionFailure {
  readonly kind: 'no-room' | 'elsewhere' | 'not-made' | 'changed';
  readonly message: string;
}

/** What keeps an existing volume from being the wanted one, or nothing where it is that one. */
export function describeConflict(volume: LocalVolume, wanted: VolumeSpec): string | undefined {
  const text = claimText(wanted.claimRef);
  if (volume.deleting) {
    return `the last volume of claim ${text} is still being removed on node ${volume.spec.node}`;
  }
  return volume.spec.node === wanted.node && volume.spec.pool === wanted.pool
    ? undefined
    : `claim ${text} has its volume in pool ${volume.spec.pool} of node ${volume.spec.node}`;
}

export function describeShortage(shortage: Shortage): ProvisionFailure {
  switch (shortage.kind) {
    case 'no-report': {
      const { node, pool } = shortage.at;
      return { kind: 'no-room', message: `node ${node}: nothing is known of pool ${pool}` };
    }
    case 'insufficient': {
      const { at, needed, room } = shortage;
      const message = `node ${at.node}: pool ${at.pool} has ${formatBytes(room.free)} free, ${formatBytes(needed)} are needed with overhead`;
      return { kind: 'no-room', message };
    }
    case 'reserved-elsewhere': {
      const message = `the claim is being provisioned on node ${shortage.node} already`;
      return { kind: 'elsewhere', message };
    }
  }
}

export function changedMeanwhile(name: string): Result<never, ProvisionFailure> {
  const message = `volume ${name} was changed by another hand while it was made`;
  return err({ kind: 'changed', message });
}
