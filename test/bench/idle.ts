import { setTimeout as sleep } from 'node:timers/promises';

import type { Figures } from './figures.ts';
import { cpuMs } from './process-cost.ts';
import type { SmallGround } from './small-ground.ts';

const settleMs = 3_000;
const idleMs = 30_000;

/** CPU time that each role uses while nothing happens, with the volumes that are there. */
export async function measureIdle(ground: SmallGround, figures: Figures): Promise<void> {
  const agents = ground.agents.map(({ program }) => program);
  const programs = [ground.control.program, ...agents];
  await sleep(settleMs);
  const before = programs.map(cpuMs);
  await sleep(idleMs);
  const [control = 0, ...used] = programs.map((program, i) => cpuMs(program) - (before[i] ?? 0));
  figures.add('idle.control.cpu_ms', control, 'ms');
  figures.add('idle.node.cpu_ms', mean(used), 'ms', used.length);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
