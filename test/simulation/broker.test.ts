import { expect } from 'chai';
import { runBroker } from './broker/history.ts';
import type { Ground } from './broker/replica.ts';

const runs = Number(process.env['SIM_RUNS'] ?? 20);
const first = Number(process.env['SIM_SEED'] ?? 1);

describe('The service broker in any history', () => {
  it(`makes instances whole or not at all, and leaves nothing, ${runs} times from seed ${first}`, async function () {
    this.timeout(0);
    for (let seed = first; seed < first + runs; seed += 1) {
      await runBroker(seed);
    }
  });
});

/** Mistakes that the histories have to find, or they prove nothing. */
const mistakes: Readonly<Record<string, Ground['mutate']>> = {
  'volumes count as gone at once': (ports) => ({
    ...ports,
    volumes: { ...ports.volumes, isGone: async () => true },
  }),
  'nothing is written down before claims go': (ports) => ({
    ...ports,
    instances: {
      ...ports.instances,
      tell: (read, progress) =>
        ports.instances.tell(read, {
          ...progress,
          ...(progress.work && { work: { ...progress.work, leaving: [] } }),
        }),
    },
  }),
  'every place is taken for another one': (ports) => ({
    ...ports,
    volumes: {
      ...ports.volumes,
      find: async (claim) => ({ ...(await ports.volumes.find(claim)), node: claim.name }),
    },
  }),
  'claims still go with the record of an instance that is made': (ports) => ({
    ...ports,
    parts: { ...ports.parts, free: async () => {} },
  }),
  'nobody hears what our events say of a lack': (ports) => ({
    ...ports,
    parts: { ...ports.parts, told: async () => '' },
  }),
  'claims are never taken away': (ports) => ({
    ...ports,
    parts: { ...ports.parts, removeClaim: async () => {} },
  }),
};

describe('The histories of the broker themselves', () => {
  for (const [mistake, mutate] of Object.entries(mistakes)) {
    it(`show that ${mistake}`, async function () {
      this.timeout(0);
      let found = '';
      for (let seed = 1; seed <= 60 && found === ''; seed += 1) {
        found = await runBroker(seed, mutate).then(
          () => '',
          (error: unknown) => String(error),
        );
      }
      expect(found).to.match(/VIOLATION|NOT SETTLED/);
    });
  }
});
