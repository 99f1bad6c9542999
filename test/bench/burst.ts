import { forEachParallel } from '../cluster/parallel.ts';
import type { KubeEvent } from '../../src/kube/objects.ts';
import { claim, pod } from '../support/objects.ts';
import { clearAway } from './clear-away.ts';
import type { Figures } from './figures.ts';
import {
  agentCount,
  poolName,
  schedulerName,
  type SmallGround,
  volumeSize,
} from './small-ground.ts';

/** Requests in flight; more do not make the API server of a small machine faster. */
const width = 32;
const podsPerNode = Number(process.env['BENCH_BURST'] ?? 100);

/** Means that a volume was not made at the first attempt, or that a pod found no room. */
const failures = ['BerthBindFailed', 'BerthNoRoom', 'FailedScheduling', 'VolumeFailed'];

/**
 * Many pods with a small claim each, created as fast as the API server takes them, until the
 * last one has its node; next to the same pods without volumes. The volumes stay.
 */
export async function measureBurst(ground: SmallGround, figures: Figures): Promise<void> {
  const count = agentCount * podsPerNode;
  const name = `burst.${agentCount}x${podsPerNode}`;
  const bare = await burst(ground, 'bare', count, false);
  await clearAway(ground);
  const before = total(await countFailures(ground));
  const times = await burst(ground, 'full', count, true);
  const after = await countFailures(ground);
  after.forEach((count, kind) => console.error(`burst: ${count} x ${kind}`));
  figures.add(`${name}.bare_ms`, bare, 'ms', count);
  figures.add(`${name}.ms`, times, 'ms', count);
  figures.add(`${name}.ratio`, times / bare, 'ratio', count);
  figures.add(`${name}.failed`, total(after) - before, 'count', count);
}

async function burst(
  { kube, watched }: SmallGround,
  prefix: string,
  count: number,
  withClaims: boolean,
): Promise<number> {
  const names = Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
  const startedAt = performance.now();
  const bound = names.map((name) => watched.bound(name));
  await forEachParallel(names, width, async (name) => {
    if (withClaims) {
      await kube.create(claim(name, poolName, volumeSize));
    }
    const claims = withClaims ? [name] : [];
    await kube.create(pod(name, { claims, schedulerName }));
  });
  return Math.max(...(await Promise.all(bound))) - startedAt;
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
