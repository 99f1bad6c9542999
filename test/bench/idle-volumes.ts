import { setTimeout as sleep } from 'node:timers/promises';

import { hostBackends, type BackendGround } from './backend-ground.ts';
import type { Figures } from './figures.ts';
import { cpuMs, ownMemory, proportionalMemory, residentMemory } from './process-cost.ts';
import { makeVolume, newVolumeName } from './volumes.ts';

const volumes = 100;
const atOnce = 10;
const settleMs = 50_000;
/** Three heartbeats of 40 s. */
const idleMs = 125_000;

/** What an agent costs that has 100 volumes and pools of every backend, while nothing happens. */
export async function measureIdleVolumes(ground: BackendGround, figures: Figures): Promise<void> {
  for (const backend of hostBackends) {
    await makeVolume(ground, backend, newVolumeName());
  }
  for (let made = hostBackends.length; made < volumes; made += atOnce) {
    const count = Math.min(atOnce, volumes - made);
    await Promise.all(
      Array.from({ length: count }, () => makeVolume(ground, 'loop', newVolumeName())),
    );
  }
  await sleep(settleMs);
  const { program } = ground.agent;
  const before = { cpu: cpuMs(program), programs: await programsStarted(ground) };
  await sleep(idleMs);
  const seconds = idleMs / 1000;
  figures.add('idle100.node.cpu_ms_per_s', (cpuMs(program) - before.cpu) / seconds, 'ms');
  figures.add('idle100.node.programs', (await programsStarted(ground)) - before.programs, 'count');
  figures.add('idle100.node.rss', residentMemory(program), 'MiB');
  figures.add('idle100.node.pss', proportionalMemory(program), 'MiB');
  figures.add('idle100.node.rss_anon', ownMemory(program), 'MiB');
}

async function programsStarted({ agent }: BackendGround): Promise<number> {
  const text = await (await fetch(`${agent.ops}/metrics`)).text();
  const counts = [...text.matchAll(/^berth_node_programs_total\{.*\} (\d+)$/gm)];
  if (counts.length === 0) {
    throw new Error('the agent does not say how many programs it has started');
  }
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}
