import type { BigGround } from './big-ground.ts';
import type { Figures } from './figures.ts';
import { peakMemory } from './process-cost.ts';

/** What control has needed at most for thousands of nodes, with all that ran before. */
export async function measureControlMemory(
  { control }: BigGround,
  figures: Figures,
): Promise<void> {
  figures.add('memory.control.rss', peakMemory(control.program), 'MiB');
}
