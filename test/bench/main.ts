import { join } from 'node:path';

import { openBigGround } from './big-ground.ts';
import { Figures } from './figures.ts';
import { runStage, type Stage } from './stage.ts';
import { measureControlMemory } from './memory.ts';
import { measureVerbs } from './verbs.ts';
import type { BigGround } from './big-ground.ts';

/** Parts are named here; `BENCH_ONLY=filter,bind` runs those alone. */
const manyNodes: Stage<BigGround> = {
  open: openBigGround,
  parts: { filter: measureVerbs, memory: measureControlMemory },
};

const only = process.env['BENCH_ONLY']?.split(',');
const wanted = (part: string): boolean => only === undefined || only.includes(part);

const figures = new Figures();
const failed = await runStage(manyNodes, figures, wanted);
figures.write(join(import.meta.dirname, 'results.json'));
console.log(figures.table());
process.exitCode = failed === 0 ? 0 : 1;
