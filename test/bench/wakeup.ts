import { setTimeout as sleep } from 'node:timers/promises';

import { claim, pod, storageClass, storagePool } from '../support/objects.ts';
import { clearAway } from './clear-away.ts';
import type { Figures } from './figures.ts';
import { schedulerName, type SmallGround } from './small-ground.ts';

const lanes = 5;
const rounds = 8;
/** A pod that has just been refused waits for this long in any case (kube-scheduler's back-off). */
const backOffMs = 1_200;

/**
 * From the moment the claim of a full pool is deleted until the pod that waited for its room is
 * seen with a node. Several full pools at a time, each with one pod in it and one that waits.
 */
export async function measureWakeup(ground: SmallGround, figures: Figures): Promise<void> {
  const { kube, berth, nodes } = ground;
  const times: number[] = [];
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
    }),
  );
  figures.addTimes('wakeup', times);
  await clearAway(ground);
}

async function wake(ground: SmallGround, pool: string, round: number): Promise<number> {
  const { kube, watched } = ground;
  const [inside, waiting] = [`${pool}-${round - 1}`, `${pool}-${round}`];
  await place(ground, pool, round);
  await watched.refused(waiting);
  await sleep(backOffMs);
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
