import { expect } from 'chai';
import { bytes, GiB, KiB } from '../../../src/model/bytes.ts';
import { formatPoolReport } from '../../../src/model/pool.ts';
import type { PoolStanding, ShownNode } from '../../../src/usecases/node-ports.ts';
import {
  decideReport,
  highestGeneration,
  type ReportFacts,
} from '../../../src/usecases/pool-report.ts';

const fast: PoolStanding = {
  ...{ name: 'fast', backend: 'loop', healthy: true, volumes: 0 },
  ...{ total: bytes(10 * GiB), free: bytes(10 * GiB), largest: bytes(10 * GiB) },
};
const text = (pool: PoolStanding, generation: number) => formatPoolReport({ ...pool, generation });
const showing = (pool: PoolStanding, generation: number): ShownNode => ({
  labels: { 'pool.berth.dev/fast': 'loop', other: 'kept' },
  annotations: { 'capacity.berth.dev/fast': text(pool, generation), other: 'kept' },
});
const decide = (facts: Partial<ReportFacts>) =>
  decideReport({
    pools: [fast],
    shown: showing(fast, 3),
    generation: 4,
    owed: new Map(),
    ...facts,
  });

describe('the report of a node', () => {
  it('is not published while the Node shows the truth', () => {
    expect(decide({})).to.equal(undefined);
  });

  it('says all of a pool on a Node that shows nothing', () => {
    expect(decide({ shown: { labels: {}, annotations: {} } })).to.deep.equal({
      labels: { 'pool.berth.dev/fast': 'loop' },
      annotations: { 'capacity.berth.dev/fast': text(fast, 4) },
    });
  });

  it('is published when a number has changed, and touches no other key', () => {
    const now = { ...fast, free: bytes(4 * GiB) };

    expect(decide({ pools: [now] })).to.deep.equal({
      labels: {},
      annotations: { 'capacity.berth.dev/fast': text(now, 4) },
    });
  });

  it('is not published for the breathing of a filesystem, but when nothing is left', () => {
    const less = { ...fast, free: bytes(10 * GiB - 512 * KiB) };
    const little = { ...fast, free: bytes(512 * KiB) };
    const none = { ...fast, free: bytes(0) };

    expect(decide({ pools: [less] })).to.equal(undefined);
    expect(decide({ pools: [none], shown: showing(little, 3) })).to.not.equal(undefined);
  });

  it('is published with old numbers when a volume was told that it would be counted', () => {
    const owed = new Map([['fast', 4]]);

    expect(decide({ owed })?.annotations).to.deep.equal({
      'capacity.berth.dev/fast': text(fast, 4),
    });
    expect(decide({ owed, shown: showing(fast, 4), generation: 5 })).to.equal(undefined);
    // That volume was made while this report was measured: the next one counts it.
    expect(decide({ owed: new Map([['fast', 5]]) })).to.equal(undefined);
  });

  it('replaces what cannot be read', () => {
    const shown = {
      ...showing(fast, 3),
      annotations: { 'capacity.berth.dev/fast': '{"free":-1}' },
    };

    expect(decide({ shown })?.annotations).to.have.keys('capacity.berth.dev/fast');
  });

  it('tells when a pool falls ill', () => {
    expect(decide({ pools: [{ ...fast, healthy: false }] })).to.not.equal(undefined);
  });

  it('takes away the keys of a pool that the node no longer has, and only those', () => {
    expect(decide({ pools: [] })).to.deep.equal({
      labels: { 'pool.berth.dev/fast': null },
      annotations: { 'capacity.berth.dev/fast': null },
    });
  });

  it('says nothing of a pool whose name makes no legal key', () => {
    expect(decide({ pools: [fast, { ...fast, name: 'Not.Legal' }] })).to.equal(undefined);
  });

  it('goes on after the highest number that is shown', () => {
    const { annotations } = showing(fast, 7);
    const shown = {
      labels: {},
      annotations: {
        ...annotations,
        'capacity.berth.dev/slow': text(fast, 9),
        'capacity.berth.dev/torn': '{"generation":99',
      },
    };

    expect(highestGeneration(shown)).to.equal(9);
  });
});
