import fc from 'fast-check';
import { aPlan, runPlan } from './history.ts';

const runs = Number(process.env['SIM_RUNS'] ?? 60);
const seed = Number(process.env['SIM_SEED'] ?? 1);
const path = process.env['SIM_PATH'] ?? '';

describe('The whole protocol in any history', () => {
  it(`keeps its guarantees and settles, ${runs} times from seed ${seed}`, async function () {
    this.timeout(0);
    await fc.assert(
      fc.asyncProperty(aPlan, (plan) => runPlan(plan)),
      { numRuns: runs, seed, path, endOnFailure: process.env['SIM_SHRINK'] === '0' },
    );
  });
});
