import { isNotReady, type NodeState } from '../model/node.ts';
import { releaseAfterMs } from '../model/node-loss.ts';
import type { LocalVolume } from '../model/volume.ts';

/** Why nobody can reach the data of a volume now, or soon. */
export interface Loss {
  readonly kind: 'node' | 'disk';
  readonly why: string;
  /** Since when it is so, as it says itself; milliseconds since the epoch. */
  readonly since?: number | undefined;
  /** Nobody there can end a pod: the API server must not wait for it. */
  readonly kubeletIsLost: boolean;
}

/** How far apart clocks may be without anybody caring. */
const clockSkewMs = 60_000;
/** Somebody waits for it already. */
export function isRecorded({ nodeLostSince, diskFailingSince }: LocalVolume): boolean {
  return nodeLostSince !== undefined || diskFailingSince !== undefined;
}

export function lossOf(volume: LocalVolume, node: NodeState | undefined): Loss | undefined {
  const { node: name } = volume.spec;
  const since = node?.since;
  if (node === undefined) {
    return { kind: 'node', why: `node ${name} does not exist`, kubeletIsLost: true };
  }
  if (isNotReady(node)) {
    const why = `node ${name} is not ready (${node.said})`;
    return { kind: 'node', why, since, kubeletIsLost: true };
  }
  return volume.status.phase === 'Lost'
    ? {
        kind: 'node',
        why: `it is no longer on the disks of node ${name}`,
        since,
        kubeletIsLost: false,
      }
    : diskLossOf(volume);
}

/** A disk that fails is a loss only to a volume that shall not stay on it. */
function diskLossOf({ spec, status }: LocalVolume): Loss | undefined {
  const { state, message, since } = status.health ?? {};
  if (state !== 'failing' || releaseAfterMs(spec.onDiskFailure) === undefined) {
    return undefined;
  }
  const began = Date.parse(since ?? '');
  return {
    kind: 'disk',
    why: `its disk on node ${spec.node} is failing: ${message ?? ''}`,
    since: Number.isNaN(began) ? undefined : began,
    kubeletIsLost: false,
  };
}

/**
 * Node or disk may have been well for a while, and nobody looked: the waiting begins anew then. Its
 * clock is another one, so a moment does not count, and what it says of the future neither.
 */
export function hasChangedSince(recorded: number, { since = 0 }: Loss, now: number): boolean {
  return since > recorded + clockSkewMs && since <= now;
}
