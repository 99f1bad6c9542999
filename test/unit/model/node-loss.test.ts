import { expect } from 'chai';
import { isOnNodeLost, releaseAfterMs } from '../../../src/model/node-loss.ts';
import { parseClassParameters } from '../../../src/model/storage-class.ts';

const hour = 3_600_000;

describe('releaseAfterMs', () => {
  const times: Readonly<Record<string, number>> = {
    'release-after=1s': 1_000,
    'release-after=1000ms': 1_000,
    'release-after=10m': hour / 6,
    'release-after=48h': 48 * hour,
    'release-after=7d': 7 * 24 * hour,
    'release-after=365d': 365 * 24 * hour,
  };
  for (const [text, ms] of Object.entries(times)) {
    it(`reads ${text}`, () => {
      expect(releaseAfterMs(text)).to.equal(ms);
      expect(isOnNodeLost(text)).to.equal(true);
    });
  }

  it('keeps where nothing else is asked', () => {
    expect(releaseAfterMs('keep')).to.equal(undefined);
    expect(releaseAfterMs(undefined)).to.equal(undefined);
  });

  const durations = ['', '0s', '999ms', '366d', '-1m', '1.5h', '1w', '10M', '1h ', '=10m'];
  const unreadable = [
    'Keep',
    '10m',
    'release-after',
    ...durations.map((one) => `release-after=${one}`),
  ];
  for (const text of unreadable) {
    it(`keeps for ${JSON.stringify(text)}, which no class may have`, () => {
      expect(releaseAfterMs(text)).to.equal(undefined);
      expect(parseClassParameters({ pool: 'fast', onNodeLost: text })).to.deep.equal({
        ok: false,
        error: `onNodeLost is "${text}": allowed are keep, release-after=<duration> from 1s to 365d, such as 10m`,
      });
    });
  }
});
