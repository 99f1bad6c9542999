import { setTimeout as sleep } from 'node:timers/promises';

import { waitFor } from '../cluster/wait.ts';
import { claim, pod, storageClass, storagePool } from '../support/objects.ts';
import { clearAway } from './clear-away.ts';
import type { Figures } from './figures.ts';
import { schedulerName, type SmallGround } from './small-ground.ts';

const lanes = 5;
const rounds = 8;
/** A pod that has just been refused waits for this long in any case (kube-scheduler's back-off). */
const backOffMs = 1_200;
/** What a volume occupies: 10 MiB, and its header. */
const occupied = 11;

/**
 * From the moment that room comes until the pod that waited for it is seen with a node: after the
 * claim of a full pool is deleted, after a pool is enlarged, and after a silent agent is back.
 * Several pools at a time, each with one pod in it and one that waits.
 */
export async function measureWakeup(ground: SmallGround, figures: Figures): Promise<void> {
  const { kube, berth, nodes } = ground;
  const times: number[] = [];
  const grown: number[] = [];
  const back: number[] = [];
  await Promise.all(
    nodes.slice(0, lanes).map(async (node, lane) => {
      const pool = `tight-${lane}`;
      await kube.create(storagePool(pool, '16Mi', { 'kubernetes.io/hostname': node }));
      await kube.create(storageClass(pool, { pool }));
      await berth.poolsReported(pool, [node]);
      await place(ground, pool, 0);
      await ground.watched.bound(`${pool}-0`);
      for (let round = 1; round <= rounds; round += 1) {
        times.push(await wake(ground, pool, round));
      }
      for (let round = rounds + 1; round <= 2 * rounds; round += 1) {
        grown.push(await grow(ground, pool, round));
      }
      back.push(await comeBack(ground, pool, node));
    }),
  );
  figures.addTimes('wakeup', times);
  figures.addTimes('wakeup.grown', grown);
  figures.addTimes('wakeup.back', back);
  await clearAway(ground);
}

/** One more volume than fits, and then a pool that is larger by as much. */
async function grow(ground: SmallGround, pool: string, round: number): Promise<number> {
  const waiting = await refused(ground, pool, round);
  const size = `${16 + occupied * (round - rounds)}Mi`;
  const startedAt = performance.now();
  await ground.cluster.api.patch(`/apis/berth.dev/v1alpha1/storagepools/${pool}`, {
    spec: { loop: { size } },
  });
  return (await ground.watched.bound(waiting)) - startedAt;
}

/** A pod that came while the agent said nothing; the agent's first sign of life is the start. */
async function comeBack(ground: SmallGround, pool: string, node: string): Promise<number> {
  const { cluster } = ground;
  const lease = `/apis/coordination.k8s.io/v1/namespaces/berth-system/leases/berth-node-${node}`;
  await cluster.api.patch(`/apis/berth.dev/v1alpha1/storagepools/${pool}`, {
    spec: { loop: { size: '200Mi' } },
  });
  await cluster.kill(`agent-${node}`);
  await cluster.api.request('DELETE', lease);
  const waiting = await refused(ground, pool, 2 * rounds + 1);
  const agent = cluster.program(`agent-${node}`);
  agent.spawn();
  await waitFor('the agent to be heard', () => cluster.api.request('GET', lease), {
    timeoutMs: 60_000,
    intervalMs: 10,
  });
  const startedAt = performance.now();
  return (await ground.watched.bound(waiting)) - startedAt;
}

/** A pod that was refused, and whose back-off is over. */
async function refused(ground: SmallGround, pool: string, round: number): Promise<string> {
  const waiting = `${pool}-${round}`;
  await place(ground, pool, round);
  await ground.watched.refused(waiting);
  await sleep(backOffMs);
  return waiting;
}

async function wake(ground: SmallGround, pool: string, round: number): Promise<number> {
  const { kube, watched } = ground;
  const inside = `${pool}-${round - 1}`;
  const waiting = await refused(ground, pool, round);
  // While a pod uses it, a claim does not go.
  await kube.delete('Pod', inside);
  await watched.podGone(inside);
  const startedAt = performance.now();
  await kube.delete('PersistentVolumeClaim', inside);
  return (await watched.bound(waiting)) - startedAt;
}

/** More than half of the pool: two do not fit. */
async function place({ kube }: SmallGround, pool: string, round: number): Promise<void> {
  const name = `${pool}-${round}`;
  await kube.create(claim(name, pool, '10Mi'));
  await kube.create(pod(name, { claims: [name], schedulerName }));
}
