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

const growth = { do: 'grow claim', which: 0, mebibytes: 8, afterMs: 20_000 } as const;

function makePod(pod: number): Timed {
  return { do: 'make pod', pod, claims: [pod], way: 'extender', node: 0, afterMs: 0 };
}

/** A volume that asks for no more than it has. */
function grownAlready(volume: LocalVolume | undefined): LocalVolume | undefined {
  const { spec, status } = volume ?? {};
  return volume && spec && status?.bytes !== undefined
    ? { ...volume, spec: { ...spec, bytes: status.bytes } }
    : volume;
}

/** Mistakes that the simulation has to find, or it proves nothing. */
const mistakes: Readonly<Record<string, Mistake>> = {
  'the agent does not wait for control’s finalizer': {
    history: [
      makePod(0),
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
  'control promises growth for which there is no room': {
    history: [makePod(0), { ...growth, mebibytes: 60 }],
    control: (parts) => {
      const { ledger } = parts;
      const reserve = ledger.reserve.bind(ledger);
      ledger.reserve = (wanted) =>
        wanted.some(({ claimUid }) => claimUid.endsWith('+growth'))
          ? ok(undefined)
          : reserve(wanted);
      return parts;
    },
  },
  'control tells of growth before the agent has grown': {
    history: [makePod(0), growth],
    control: (parts) => {
      const get = (name: string): LocalVolume | undefined => {
        const volume = parts.volumes.get(name);
        const status = { ...volume?.status, bytes: volume?.spec.bytes };
        return volume && ({ ...volume, status } as LocalVolume);
      };
      const volumes = { ...parts.forGrowth.volumes, get };
      return { ...parts, forGrowth: { ...parts.forGrowth, volumes } };
    },
  },
  'the agent does not grow what has been promised': {
    history: [makePod(0), growth],
    agent: (parts) => {
      const get = (name: string): LocalVolume | undefined => grownAlready(parts.volumes.get(name));
      return { ...parts, volumes: { ...parts.volumes, get } };
    },
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
