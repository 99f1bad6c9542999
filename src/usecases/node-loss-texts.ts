import { claimText } from '../model/claim.ts';
import { apiVersion } from '../model/names.ts';
import { releaseAfterMs } from '../model/node-loss.ts';
import type { LocalVolume } from '../model/volume.ts';
import type { ClaimUser } from './cluster.ts';
import type { ObjectRef } from './ports.ts';

/** What people are told of volumes whose nodes are lost, and on which objects. */

/** What is lost, or failing: each has its own rule in the class. */
type LossKind = 'node' | 'disk';

export function ruleFor({ spec }: LocalVolume, kind: LossKind): string | undefined {
  return kind === 'node' ? spec.onNodeLost : spec.onDiskFailure;
}

interface Wait {
  readonly kind: LossKind;
  readonly why: string;
  readonly since: number;
  readonly isAgentAlive: boolean;
}

export function describeWait(volume: LocalVolume, wait: Wait): string {
  return wait.kind === 'node' ? describeNodeWait(volume, wait) : describeDiskWait(volume, wait);
}

function describeDiskWait({ name, spec }: LocalVolume, { why, since }: Wait): string {
  const until = new Date(since + (releaseAfterMs(spec.onDiskFailure) ?? 0)).toISOString();
  return `volume ${name} holds the data of claim ${claimText(spec.claimRef)}, and ${why}. Unless it is well again, claim and data are given up at ${until} (onDiskFailure: ${spec.onDiskFailure ?? ''})`;
}

function describeNodeWait(volume: LocalVolume, { why, since, isAgentAlive }: Wait): string {
  const { spec } = volume;
  const agent = isAgentAlive ? '; the agent there still gives signs of life' : '';
  const lost = `the data of claim ${claimText(spec.claimRef)} is on node ${spec.node}, and ${why}${agent}`;
  const afterMs = releaseAfterMs(spec.onNodeLost);
  return afterMs === undefined
    ? `${lost}. The volume waits for it for ever (onNodeLost: keep). Bring the node back, or give the data up: delete the claim and its pod`
    : `${lost}. Unless it comes back, claim and data are given up at ${new Date(since + afterMs).toISOString()} (onNodeLost: ${spec.onNodeLost ?? ''})`;
}

export function describeBack({ name, spec }: LocalVolume, kind: LossKind): string {
  const what = kind === 'node' ? 'can be reached again' : 'is on a disk that is well again';
  return `volume ${name} on node ${spec.node} ${what}: it is not given up`;
}

export function describeGivenUp(
  volume: LocalVolume,
  { kind, why }: Pick<Wait, 'kind' | 'why'>,
  isRetained: boolean,
): string {
  const { spec } = volume;
  const claim = claimText(spec.claimRef);
  const erased = kind === 'node' ? 'is erased should it come back' : 'is erased';
  const data = isRetained ? 'stays there, as reclaimPolicy Retain asks' : erased;
  const rule = kind === 'node' ? 'onNodeLost' : 'onDiskFailure';
  return `given up (${rule}: ${ruleFor(volume, kind) ?? ''}): ${why}. Claim ${claim} and its pods are deleted; the data on node ${spec.node} ${data}`;
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
