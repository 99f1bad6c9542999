import { claim, pod } from '../support/objects.ts';
import { clearAway } from './clear-away.ts';
import type { Figures } from './figures.ts';
import { poolName, schedulerName, type SmallGround, volumeSize } from './small-ground.ts';

const warmUps = 5;
const rounds = 60;

/**
 * From the moment a claim is created until its pod is seen with a node; next to pods without
 * volumes, which the same scheduler places in turn with them.
 */
export async function measureClaimToBound(ground: SmallGround, figures: Figures): Promise<void> {
  const withClaim: number[] = [];
  const without: number[] = [];
  for (let round = -warmUps; round < rounds; round += 1) {
    const name = `claim-${round + warmUps}`;
    const slow = await placeWithClaim(ground, name);
    const quick = await placeWithout(ground, `${name}-bare`);
    if (round >= 0) {
      withClaim.push(slow);
      without.push(quick);
    }
  }
  figures.addPair('claim_to_bound', withClaim, { name: 'pod_to_bound', times: without });
  await clearAway(ground);
}

async function placeWithClaim({ kube, watched }: SmallGround, name: string): Promise<number> {
  const startedAt = performance.now();
  await kube.create(claim(name, poolName, volumeSize));
  await kube.create(pod(name, { claims: [name], schedulerName }));
  return (await watched.bound(name)) - startedAt;
}

async function placeWithout({ kube, watched }: SmallGround, name: string): Promise<number> {
  const startedAt = performance.now();
  await kube.create(pod(name, { schedulerName }));
  return (await watched.bound(name)) - startedAt;
}
