import { setTimeout as sleep } from 'node:timers/promises';

import { forEachParallel } from '../cluster/parallel.ts';
import type { KubeEvent } from '../../src/kube/objects.ts';
import { claim, MiB, pod, storageClass, storagePool } from '../support/objects.ts';
import { clearAway } from './clear-away.ts';
import type { Figures } from './figures.ts';
import { schedulerName, type SmallGround, volumeSize } from './small-ground.ts';

/** Requests in flight; more do not make the API server of a small machine faster. */
const width = 32;
const podCount = Number(process.env['BENCH_BURST'] ?? 1_000);
const poolName = 'exact';
/** What a volume of `volumeSize` occupies: itself and its header. */
const occupied = 2 * MiB;

/** Means that a volume was not made at the first attempt, or that a pod found no room. */
const failures = ['BerthBindFailed', 'BerthNoRoom', 'FailedScheduling', 'VolumeFailed'];

/** How fast the pods are created; nothing: as fast as the API server takes them. */
interface Pace {
  readonly name: string;
  readonly perSecond?: number;
}

/**
 * Many pods with a small claim each, on nodes with room for exactly these, from the first create
 * until the last one has its node; next to the same pods without volumes. The volumes of the
 * last pace stay.
 */
export async function measureBurst(ground: SmallGround, figures: Figures): Promise<void> {
  const { kube, berth, nodes } = ground;
  const perNode = Math.ceil(podCount / nodes.length);
  await kube.create(storagePool(poolName, String(perNode * occupied)));
  await kube.create(storageClass(poolName, { pool: poolName }));
  await berth.poolsReported(poolName, nodes);
  const name = `burst.${nodes.length}x${perNode}`;
  await measurePace(ground, figures, { name });
  await clearAway(ground);
  await measurePace(ground, figures, { name: `${name}.paced`, perSecond: 10 });
}

async function measurePace(ground: SmallGround, figures: Figures, pace: Pace): Promise<void> {
  const bare = await burst(ground, false, pace);
  await clearAway(ground);
  const before = total(await countFailures(ground));
  const full = await burst(ground, true, pace);
  const after = await countFailures(ground);
  after.forEach((count, kind) => console.error(`${pace.name}: ${count} x ${kind}`));
  const add = (end: string, value: number, unit: 'ms' | 'ratio' | 'count'): void =>
    figures.add(`${pace.name}.${end}`, value, unit, podCount);
  add('bare_ms', bare.ms, 'ms');
  add('ms', full.ms, 'ms');
  add('ratio', full.ms / bare.ms, 'ratio');
  add('failed', total(after) - before, 'count');
  add('stuck', full.stuck, 'count');
  figures.addTimes(`${pace.name}.pod`, full.podMs, {
    name: `${pace.name}.pod.bare`,
    times: bare.podMs,
  });
}

interface Burst {
  /** Until the last pod had its node. */
  readonly ms: number;
  /** Of each pod, from its own create. */
  readonly podMs: readonly number[];
  /** Pods that got no node in minutes. */
  readonly stuck: number;
}

async function burst(
  { kube, watched }: SmallGround,
  withClaims: boolean,
  { name: pace, perSecond }: Pace,
): Promise<Burst> {
  const prefix = `${pace.replaceAll('.', '-')}-${withClaims ? 'full' : 'bare'}`;
  const names = Array.from({ length: podCount }, (_, index) => `${prefix}-${index}`);
  const startedAt = performance.now();
  const createdAt: number[] = [];
  const bound = names.map((name) => watched.bound(name));
  const settled = Promise.allSettled(bound);
  await forEachParallel([...names.entries()], width, async ([index, name]) => {
    if (perSecond !== undefined) {
      await sleep(startedAt + (index * 1_000) / perSecond - performance.now());
    }
    createdAt[index] = performance.now();
    if (withClaims) {
      await kube.create(claim(name, poolName, volumeSize));
    }
    const claims = withClaims ? [name] : [];
    await kube.create(pod(name, { claims, schedulerName }));
  });
  const ends = (await settled).map((one) => (one.status === 'fulfilled' ? one.value : undefined));
  const podMs = ends.flatMap((end, index) => (end ? [end - (createdAt[index] ?? NaN)] : []));
  const ms = Math.max(...ends.map((end) => end ?? 0)) - startedAt;
  return { ms, podMs, stuck: ends.filter((end) => end === undefined).length };
}

/** How often which failure was told, by its text without names and numbers. */
async function countFailures({ cluster }: SmallGround): Promise<ReadonlyMap<string, number>> {
  const path = '/api/v1/events';
  const { items } = await cluster.api.request<{ items: KubeEvent[] }>('GET', path);
  const counts = new Map<string, number>();
  for (const { reason = '', message = '', count = 1 } of items) {
    if (failures.includes(reason)) {
      const kind = `${reason}: ${message.slice(0, 200).replace(/[\w/-]*\d[\w.-]*/g, '#')}`;
      counts.set(kind, (counts.get(kind) ?? 0) + count);
    }
  }
  return counts;
}

function total(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}
