import type { BigGround } from './big-ground.ts';
import type { Figures } from './figures.ts';
import { peakMemory } from './process-cost.ts';
import type { SmallGround } from './small-ground.ts';

/** What control has needed at most for thousands of nodes, with all that ran before. */
export async function measureControlMemory(
  { control }: BigGround,
  figures: Figures,
): Promise<void> {
  figures.add('memory.control.rss', peakMemory(control.program), 'MiB');
}

/** The most that any agent has needed, with all that ran before. */
export async function measureNodeMemory({ agents }: SmallGround, figures: Figures): Promise<void> {
  const peaks = agents.map(({ program }) => peakMemory(program));
  figures.add('memory.node.rss', Math.max(...peaks), 'MiB', peaks.length);
}
