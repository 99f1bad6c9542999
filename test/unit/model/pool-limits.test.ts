import { expect } from 'chai';
import { bytes } from '../../../src/model/bytes.ts';
import {
  noLimits,
  parseMaxVolumes,
  parseReserve,
  whyBeyondLimits,
  withinLimits,
} from '../../../src/model/pool-limits.ts';

const room = {
  total: bytes(1000),
  free: bytes(400),
  largest: bytes(300),
  volumes: ['pvc-1', 'pvc-2'],
};
const percent = (share: number) => ({
  reserve: { kind: 'percent', percent: share } as const,
  maxVolumes: Infinity,
});

describe('what an operator keeps back of a pool', () => {
  it('is nothing where nothing is said', () => {
    expect(withinLimits(room, noLimits)).to.deep.equal(room);
    expect(whyBeyondLimits(room, noLimits, bytes(401))).to.equal(undefined);
  });

  it('is taken from total and from free, and what is left bounds the biggest volume', () => {
    const kept = withinLimits(room, percent(20));

    expect(kept).to.deep.include({ total: 800, free: 200, largest: 200 });
    expect(whyBeyondLimits(room, percent(20), bytes(200))).to.equal(undefined);
    expect(whyBeyondLimits(room, percent(20), bytes(201))).to.include('reserve of 200');
  });

  it('is never more than there is', () => {
    const limits = { reserve: { kind: 'bytes', bytes: bytes(5000) }, maxVolumes: 9 } as const;

    expect(withinLimits(room, limits)).to.deep.include({ total: 0, free: 0, largest: 0 });
  });

  it('leaves no room when there are as many volumes as may be', () => {
    const limits = { ...noLimits, maxVolumes: 2 };

    expect(withinLimits(room, limits)).to.deep.include({ total: 1000, free: 0, largest: 0 });
    expect(whyBeyondLimits(room, limits, bytes(1))).to.include('has 2 volumes and may have 2');
  });

  it('is read as a size or a share, and a volume count as a number', () => {
    expect(parseReserve('10%')).to.deep.equal({ ok: true, value: percent(10).reserve });
    expect(parseReserve('1Gi')).to.deep.include({ ok: true });
    for (const wrong of ['100%', '-1', 'half', true, '1.5.5%']) {
      const read = parseReserve(wrong);
      expect(read.ok ? '' : read.error)
        .to.include('reserve is')
        .and.include('0% to 99%');
    }
    expect(parseMaxVolumes(3)).to.deep.equal({ ok: true, value: 3 });
    for (const wrong of [-1, 1.5, '3', 10_001]) {
      const read = parseMaxVolumes(wrong);
      expect(read.ok ? '' : read.error).to.include('maxVolumes is');
    }
  });
});
