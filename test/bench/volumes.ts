import { randomUUID } from 'node:crypto';

import { MiB } from '../../src/model/bytes.ts';
import type { BackendGround, HostBackend } from './backend-ground.ts';

const path = '/apis/berth.dev/v1alpha1/localvolumes';

export const newVolumeName = (): string => `pvc-${randomUUID()}`;

/** Has a volume made, without anything around. @returns how long that took */
export async function makeVolume(
  { cluster, node, watched }: BackendGround,
  pool: HostBackend,
  name: string,
  mebibytes = 1,
): Promise<number> {
  const startedAt = performance.now();
  await cluster.api.request('POST', path, { body: volumeOn(node, pool, name, mebibytes) });
  return (await watched.volumeReady(name)) - startedAt;
}

/** @returns how long it took until it was gone */
export async function removeVolume(
  { cluster, watched }: BackendGround,
  name: string,
): Promise<number> {
  const startedAt = performance.now();
  await cluster.api.request('DELETE', `${path}/${name}`);
  return (await watched.volumeGone(name)) - startedAt;
}

/** As control writes it when it is published, but without control's finalizer: the agent may remove it at once. */
function volumeOn(node: string, pool: string, name: string, mebibytes: number): object {
  return {
    apiVersion: 'berth.dev/v1alpha1',
    kind: 'LocalVolume',
    metadata: {
      name,
      labels: { 'berth.dev/node': node },
      annotations: { 'berth.dev/published': 'true' },
      finalizers: ['berth.dev/agent'],
    },
    spec: {
      ...{ node, pool, bytes: mebibytes * MiB, volumeMode: 'Filesystem', fsType: 'ext4' },
      claimRef: { namespace: 'default', name: 'bench', uid: randomUUID() },
      erase: 'discard',
    },
  };
}
