import { expect } from 'chai';
import fc from 'fast-check';
import { aPlan } from './history.ts';
import { Simulation } from './simulation.ts';
import { perform } from './user.ts';

describe('A seed', () => {
  it('gives the same history to the last step', async function () {
    this.timeout(120_000);
    for (const plan of fc.sample(aPlan, { numRuns: 5, seed: 4 })) {
      const traces: string[] = [];
      for (let i = 0; i < 2; i += 1) {
        const simulation = new Simulation(plan);
        const { world } = simulation;
        for (const action of plan.history) {
          await world.run(world.now + action.afterMs + 2_000);
          perform(simulation, action);
        }
        await world.run(world.now + 60_000);
        // The only thing that a process takes from elsewhere: its name in the election.
        traces.push(world.trace.join('\n').replaceAll(/"identity":"[^"]*"/g, ''));
      }

      expect(traces[0]?.split('\n').length).to.be.above(50);
      expect(traces[1]).to.equal(traces[0]);
    }
  });
});
