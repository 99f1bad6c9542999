import type { Figures } from './figures.ts';

/** What a stage stands on; `close` leaves nothing behind. */
export interface Ground {
  close(): Promise<void>;
}

/** One thing to measure. Parts of a stage run one after the other on the same ground. */
export type Part<G extends Ground> = (ground: G, figures: Figures) => Promise<void>;

export interface Stage<G extends Ground> {
  readonly open: () => Promise<G>;
  /** In the order in which they run. */
  readonly parts: Readonly<Record<string, Part<G>>>;
}

/**
 * Runs the wanted parts of a stage. A part that fails is reported and the next one runs.
 *
 * @returns how many failed
 */
export async function runStage<G extends Ground>(
  { open, parts }: Stage<G>,
  figures: Figures,
  wanted: (part: string) => boolean,
): Promise<number> {
  const chosen = Object.entries(parts).filter(([name]) => wanted(name));
  if (chosen.length === 0) {
    return 0;
  }
  const ground = await open();
  let failed = 0;
  try {
    for (const [name, part] of chosen) {
      const startedAt = performance.now();
      try {
        await part(ground, figures);
        console.error(`${name}: ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
      } catch (error) {
        failed += 1;
        console.error(`${name} failed:`, error);
      }
    }
  } finally {
    await ground.close();
  }
  return failed;
}
