import fc from 'fast-check';
import { pathOf } from './cluster-objects.ts';
import { unsettled } from './settled.ts';
import { Simulation, type Mutation, type SimulatedFaults } from './simulation.ts';
import { aHistory, perform, type Timed } from './user.ts';

/** All that a run hangs on: the same one gives the same run to the last byte. */
export interface Plan {
  readonly seed: number;
  readonly faults: SimulatedFaults;
  readonly schedulers: number;
  readonly history: readonly Timed[];
}

const aRate = (most: number): fc.Arbitrary<number> => fc.constantFrom(0, 0, most / 4, most);

export const aPlan: fc.Arbitrary<Plan> = fc.record({
  seed: fc.noShrink(fc.nat()),
  faults: fc.record({
    call: aRate(0.1),
    death: aRate(0.01),
    watch: aRate(0.1),
    disk: aRate(0.05),
  }),
  schedulers: fc.constantFrom(1, 2),
  history: aHistory,
});

const settleMs = 20 * 60_000;
const lookMs = 15_000;
const shownTrace = 400;

/**
 * Lets one history happen with all its faults, then lets everything settle, then takes everything
 * away, and looks at each moment that nothing is as it must not be.
 *
 * @throws with what was wrong and the last part of what happened before
 */
export async function runPlan(plan: Plan, mutation: Mutation = {}): Promise<void> {
  const simulation = new Simulation(plan, mutation);
  try {
    await happen(simulation, plan.history);
    simulation.endFaults();
    await settle(simulation, 'after the history');
    for (const resource of ['pods', 'persistentvolumeclaims']) {
      removeAll(simulation, resource);
    }
    await settle(simulation, 'after all pods and claims were deleted');
    for (const resource of ['persistentvolumes', 'localvolumes']) {
      removeAll(simulation, resource);
    }
    await settle(simulation, 'after everything was deleted');
    expectNothingLeft(simulation);
  } catch (error) {
    const { trace } = simulation.world;
    const told = trace.slice(-shownTrace).join('\n');
    throw new Error(`${(error as Error).message}\n${told}\n${(error as Error).message}`, {
      cause: error,
    });
  }
}

async function happen(simulation: Simulation, history: readonly Timed[]): Promise<void> {
  const { world } = simulation;
  await world.run(world.now + 10_000);
  for (const action of history) {
    await world.run(world.now + action.afterMs);
    perform(simulation, action);
  }
  await world.run(world.now + 5_000);
}

async function settle(simulation: Simulation, when: string): Promise<void> {
  const { world } = simulation;
  const deadline = world.now + settleMs;
  let left: readonly string[];
  do {
    await world.run(world.now + lookMs);
    left = unsettled(simulation);
  } while (left.length > 0 && world.now < deadline);
  if (left.length > 0) {
    throw new Error(`NOT SETTLED ${when}: ${left.join('; ')}`);
  }
}

function removeAll({ server, checks }: Simulation, resource: string): void {
  for (const { metadata } of server.list(resource)) {
    checks.deletedByHand.add(metadata.name);
    server.delete(pathOf(resource, metadata.name));
  }
}

function expectNothingLeft({ server }: Simulation): void {
  for (const resource of ['pods', 'persistentvolumeclaims', 'persistentvolumes', 'localvolumes']) {
    const left = server.list(resource).map(({ metadata }) => metadata.name);
    if (left.length > 0) {
      throw new Error(`LEFT OVER: ${resource} ${left.join(', ')}`);
    }
  }
}
