import { expect } from 'chai';
import fc from 'fast-check';
import { judgeLatency, nothingUsual, type IoCounts } from '../../../src/model/latency.ts';

const intervalMs = 10_000;
const idle: IoCounts = { ios: 0, bytes: 0, waitMs: 0, busyMs: 0, discards: 0, inFlight: 0 };

interface Interval {
  readonly ios: number;
  readonly waitMs: number;
  /** How many requests are under way at once. */
  readonly depth?: number;
  readonly kib?: number;
  readonly discards?: number;
  readonly inFlight?: number;
}

const counted = ({ ios, waitMs, depth = 1, kib = 4, discards = 0, inFlight = 0 }: Interval) => ({
  ...{ ios, bytes: ios * kib * 1024, discards, inFlight },
  ...{ waitMs: ios * waitMs, busyMs: Math.min((ios * waitMs) / depth, intervalMs) },
});

/** What is said of the last of these intervals. */
function after(...intervals: readonly Interval[]): string | undefined {
  let usual = nothingUsual;
  let slow: string | undefined;
  for (const interval of intervals) {
    const before = { ...idle, inFlight: interval.inFlight ?? 0 };
    const look = judgeLatency([before, counted(interval)], intervalMs, usual);
    ({ usual, slow } = { usual: look.usual, slow: look.slow });
  }
  return slow;
}

const times = (count: number, interval: Interval) => Array.from({ length: count }, () => interval);
const ssd = times(40, { ios: 1000, waitMs: 0.2 });
const hdd = times(40, { ios: 300, waitMs: 9 });

describe('a device is slow', () => {
  it('when it takes much longer than usual, and says by how much', () => {
    expect(after(...ssd, { ios: 30, waitMs: 300 })).to.match(/30 requests took 300 ms.*0\.2 ms/);
    expect(after(...hdd, { ios: 50, waitMs: 200 })).to.match(/200 ms.*9 ms/);
  });

  it('as long as it is, however long that lasts', () => {
    expect(after(...ssd, ...times(1000, { ios: 30, waitMs: 300 }))).to.contain('300 ms');
  });

  it('when it answers nothing at all', () => {
    expect(after({ ios: 0, waitMs: 0, inFlight: 3 })).to.match(/none of 3 requests.*10 s/);
  });

  it('without a history only when it would be for any disk', () => {
    expect(after({ ios: 30, waitMs: 300 })).to.equal(undefined);
    expect(after({ ios: 5, waitMs: 2000 })).to.contain('2000 ms');
  });
});

describe('a device is not slow', () => {
  it('by a long queue', () => {
    expect(after(...hdd, { ios: 1200, waitMs: 266, depth: 32 })).to.equal(undefined);
    expect(after(...hdd, { ios: 1500, waitMs: 430, depth: 64, kib: 1024 })).to.equal(undefined);
  });

  it('by large requests that it moves fast', () => {
    expect(after(...ssd, { ios: 5000, waitMs: 128, depth: 64, kib: 1024 })).to.equal(undefined);
  });

  it('by few requests, or while it discards', () => {
    expect(after(...ssd, { ios: 4, waitMs: 2000 })).to.equal(undefined);
    expect(after(...ssd, { ios: 30, waitMs: 300, discards: 5 })).to.equal(undefined);
    expect(after({ ios: 0, waitMs: 0, inFlight: 3, discards: 5 })).to.equal(undefined);
  });

  it('by many times what is usual, while that is fast for any disk', () => {
    expect(after(...ssd, { ios: 1000, waitMs: 8 })).to.equal(undefined);
  });

  it('while it does nothing', () => {
    expect(after(...ssd, { ios: 0, waitMs: 0 })).to.equal(undefined);
  });

  it('whatever it does, below the least that counts', () => {
    const interval = fc.record({
      ...{ ios: fc.integer({ min: 1, max: 100_000 }), depth: fc.integer({ min: 1, max: 64 }) },
      ...{ waitMs: fc.double({ min: 0, max: 49, noNaN: true }), kib: fc.constantFrom(4, 1024) },
    });
    fc.assert(
      fc.property(fc.array(interval, { minLength: 1, maxLength: 80 }), (all) => {
        expect(after(...all)).to.equal(undefined);
      }),
    );
  });
});
