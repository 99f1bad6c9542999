import { expect } from 'chai';
import fc from 'fast-check';
import { bytes } from '../../src/model/bytes.ts';
import type { LocalVolume } from '../../src/model/volume.ts';
import { ok } from '../../src/model/result.ts';
import { provision } from '../../src/usecases/provision.ts';
import { aPlan, runPlan } from './history.ts';
import type { Mutation } from './simulation.ts';
import type { Timed } from './user.ts';

interface Mistake extends Mutation {
  /** What brings it to light, where chance would take long. */
  readonly history?: readonly Timed[];
}

/** Mistakes that the simulation has to find, or it proves nothing. */
const mistakes: Readonly<Record<string, Mistake>> = {
  'the agent does not wait for control’s finalizer': {
    history: [
      { do: 'make pod', pod: 0, claims: [0], way: 'extender', node: 0, afterMs: 0 },
      { do: 'delete pod', which: 0, afterMs: 10_000 },
      { do: 'delete volume', which: 0, afterMs: 5_000 },
    ],
    agent: (parts) => {
      const unheld = (volume: LocalVolume): LocalVolume => ({ ...volume, heldByControl: false });
      const get = (name: string): LocalVolume | undefined => {
        const volume = parts.volumes.get(name);
        return volume && unheld(volume);
      };
      return { ...parts, volumes: { ...parts.volumes, get } };
    },
  },
  'the agent never lets a volume go': {
    agent: (parts) => ({ ...parts, volumes: { ...parts.volumes, release: async () => {} } }),
  },
  'the agent takes its pools for larger than they are': {
    poolLimit: (limit) => bytes(limit * 2),
  },
  'the agent’s reports never reach its Node': {
    agent: (parts) => {
      let first = true;
      const publish: typeof parts.board.publish = async (change) => {
        await (first ? parts.board.publish(change) : undefined);
        first = false;
      };
      return { ...parts, board: { ...parts.board, publish } };
    },
  },
  'control takes every claim for gone': {
    control: (parts) => ({ ...parts, claims: { ...parts.claims, read: async () => undefined } }),
  },
  'control binds without making volumes': {
    control: (parts) => ({ ...parts, provision: async () => ok(undefined) }),
  },
  'control forgets to publish': {
    control: (parts) => {
      const volumes = { ...parts.volumes, markPublished: async () => true };
      return { ...parts, provision: provision({ ...parts, volumes, readyTimeoutMs: 20_000 }) };
    },
  },
};

/** Found too, after a thousand histories and more: only in long runs. */
const rareMistakes: typeof mistakes = {
  'no write names the version that it rests on': {
    write: (body) => {
      const metadata: unknown = 'metadata' in body ? withoutVersion(body.metadata) : undefined;
      return withoutVersion({ ...body, metadata });
    },
  },
};

function withoutVersion(of: unknown): object {
  return { ...(of as object), resourceVersion: undefined };
}

const isLong = process.env['SIM_RUNS'] !== undefined;
const mostPlans = isLong ? 4000 : 60;

describe('The simulation itself', () => {
  for (const [mistake, mutation] of Object.entries(
    isLong ? { ...mistakes, ...rareMistakes } : mistakes,
  )) {
    const { history } = mutation;
    const plans = history ? aPlan.map((plan) => ({ ...plan, history })) : aPlan;
    it(`finds out that ${mistake}`, async function () {
      this.timeout(0);
      const result = await fc.check(
        fc.asyncProperty(plans, (plan) => runPlan(plan, mutation)),
        { numRuns: mostPlans, seed: 5, endOnFailure: true },
      );

      expect(result.failed, `not found in ${mostPlans} histories`).to.equal(true);
      expect(String(result.errorInstance)).to.match(/VIOLATION|NOT SETTLED/);
    });
  }
});
