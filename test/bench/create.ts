import { randomUUID } from 'node:crypto';

import type { PersistentVolumeClaim } from '../../src/kube/objects.ts';
import { claim } from '../support/objects.ts';
import type { Figures } from './figures.ts';
import { poolName, type SmallGround, volumeSize } from './small-ground.ts';

const warmUps = 5;
const rounds = 60;
const width = 16;
const waves = 6;
const path = '/apis/berth.dev/v1alpha1/localvolumes';

const anchor = 'bench-anchor';

interface CreateGround extends SmallGround {
  /** Of the claim that all volumes are for. */
  readonly claimUid: string;
}

/** What one agent takes to make a volume and to remove it, without anything around. */
export async function measureCreate(
  { kube, ...rest }: SmallGround,
  figures: Figures,
): Promise<void> {
  // Control takes back the volumes of claims that do not exist.
  await kube.create(claim(anchor, poolName, volumeSize));
  const { metadata } = await kube.get<PersistentVolumeClaim>('PersistentVolumeClaim', anchor);
  const ground = { kube, ...rest, claimUid: metadata?.uid ?? '' };
  const made: number[] = [];
  const removed: number[] = [];
  for (let round = -warmUps; round < rounds; round += 1) {
    const name = `pvc-${randomUUID()}`;
    const [createMs, deleteMs] = [await make(ground, name), await remove(ground, name)];
    if (round >= 0) {
      made.push(createMs);
      removed.push(deleteMs);
    }
  }
  figures.addTimes('create.loop', made);
  figures.addTimes('delete.loop', removed);
  await measureParallel(ground, figures);
  await kube.delete('PersistentVolumeClaim', anchor);
}

async function measureParallel(ground: CreateGround, figures: Figures): Promise<void> {
  const made: number[] = [];
  const removed: number[] = [];
  for (let wave = 0; wave < waves; wave += 1) {
    const names = Array.from({ length: width }, () => `pvc-${randomUUID()}`);
    made.push(...(await Promise.all(names.map((name) => make(ground, name)))));
    removed.push(...(await Promise.all(names.map((name) => remove(ground, name)))));
  }
  figures.addTimes(`create.loop.parallel${width}`, made);
  figures.addTimes(`delete.loop.parallel${width}`, removed);
}

async function make(
  { cluster, nodes, watched, claimUid }: CreateGround,
  name: string,
): Promise<number> {
  const startedAt = performance.now();
  await cluster.api.request('POST', path, { body: volumeOn(nodes[0] ?? '', name, claimUid) });
  return (await watched.volumeReady(name)) - startedAt;
}

async function remove({ cluster, watched }: CreateGround, name: string): Promise<number> {
  const startedAt = performance.now();
  await cluster.api.request('DELETE', `${path}/${name}`);
  return (await watched.volumeGone(name)) - startedAt;
}

/** As control writes it, but without control's finalizer: the agent may remove it at once. */
function volumeOn(node: string, name: string, uid: string): object {
  return {
    apiVersion: 'berth.dev/v1alpha1',
    kind: 'LocalVolume',
    metadata: { name, labels: { 'berth.dev/node': node }, finalizers: ['berth.dev/agent'] },
    spec: {
      node,
      pool: poolName,
      bytes: 1024 * 1024,
      volumeMode: 'Filesystem',
      fsType: 'ext4',
      claimRef: { namespace: 'default', name: anchor, uid },
      erase: 'discard',
    },
  };
}
