import { claimText } from '../model/claim.ts';
import { apiVersion } from '../model/names.ts';
import { releaseAfterMs } from '../model/node-loss.ts';
import type { LocalVolume } from '../model/volume.ts';
import type { ClaimUser } from './cluster.ts';
import type { ObjectRef } from './ports.ts';

/** What people are told of volumes whose nodes are lost, and on which objects. */

interface Wait {
  readonly why: string;
  readonly since: number;
  readonly isAgentAlive: boolean;
}

export function describeWait(volume: LocalVolume, { why, since, isAgentAlive }: Wait): string {
  const { spec } = volume;
  const agent = isAgentAlive ? '; the agent there still gives signs of life' : '';
  const lost = `the data of claim ${claimText(spec.claimRef)} is on node ${spec.node}, and ${why}${agent}`;
  const afterMs = releaseAfterMs(spec.onNodeLost);
  return afterMs === undefined
    ? `${lost}. The volume waits for it for ever (onNodeLost: keep). Bring the node back, or give the data up: delete the claim and its pod`
    : `${lost}. Unless it comes back, claim and data are given up at ${new Date(since + afterMs).toISOString()} (onNodeLost: ${spec.onNodeLost ?? ''})`;
}

export function describeBack({ name, spec }: LocalVolume): string {
  return `volume ${name} on node ${spec.node} can be reached again: it is not given up`;
}

export function describeGivenUp({ spec }: LocalVolume, why: string, isRetained: boolean): string {
  const claim = claimText(spec.claimRef);
  const data = isRetained
    ? 'stays there, as reclaimPolicy Retain asks'
    : 'is erased should it come back';
  return `given up (onNodeLost: ${spec.onNodeLost ?? ''}): ${why}. Claim ${claim} and its pods are deleted; the data on node ${spec.node} ${data}`;
}

/** Tells it on the volume, on its claim and on each pod that names the claim. */
export function tellOwners(
  { name, uid, spec }: LocalVolume,
  users: readonly ClaimUser[],
  tell: (about: ObjectRef) => void,
): void {
  tell({ apiVersion, kind: 'LocalVolume', name, uid });
  tell({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', ...spec.claimRef });
  for (const { pod } of users) {
    tell({ apiVersion: 'v1', kind: 'Pod', namespace: pod.namespace, name: pod.name, uid: pod.uid });
  }
}
