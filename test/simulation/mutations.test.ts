import { expect } from 'chai';
import fc from 'fast-check';
import { bytes } from '../../src/model/bytes.ts';
import type { LocalVolume } from '../../src/model/volume.ts';
import { ok } from '../../src/model/result.ts';
import { provision } from '../../src/usecases/provision.ts';
import { aPlan, runPlan } from './history.ts';
import type { Mutation } from './simulation.ts';

/** Mistakes that the simulation has to find, or it proves nothing. */
const mistakes: Readonly<Record<string, Mutation>> = {
  'the agent does not wait for control’s finalizer': {
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

const mostPlans = 400;

describe('The simulation itself', () => {
  for (const [mistake, mutation] of Object.entries(mistakes)) {
    it(`finds out that ${mistake}`, async function () {
      this.timeout(0);
      const result = await fc.check(
        fc.asyncProperty(aPlan, (plan) => runPlan(plan, mutation)),
        { numRuns: mostPlans, seed: 5, endOnFailure: true },
      );

      expect(result.failed, `not found in ${mostPlans} histories`).to.equal(true);
      expect(String(result.errorInstance)).to.match(/VIOLATION|NOT SETTLED/);
    });
  }
});
