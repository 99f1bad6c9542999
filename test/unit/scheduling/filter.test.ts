import { expect } from 'chai';
import fc from 'fast-check';
import { bytes } from '../../../src/model/bytes.ts';
import { piecesOf } from '../../../src/model/pieces.ts';
import {
  describeRejection,
  fitNode,
  groupByPool,
  type NodeFacts,
  type Rejection,
} from '../../../src/scheduling/filter.ts';
import type { Pin, VolumeNeed } from '../../../src/scheduling/needs.ts';
import { need, nodeFacts, poolFacts, room } from '../../support/facts.ts';

function judge(node: NodeFacts, volumes: VolumeNeed[], pins: Pin[] = []) {
  return fitNode(pins, groupByPool(volumes), node);
}

function refusal(node: NodeFacts, volumes: VolumeNeed[], pins: Pin[] = []): Rejection['kind'] | '' {
  return judge(node, volumes, pins).rejection?.kind ?? '';
}

const onN1: Pin = { kind: 'node', claim: 'shop/old', node: 'n1' };
const byLabel: Pin = {
  kind: 'affinity',
  claim: 'shop/older',
  terms: [
    { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['n1'] }] },
  ],
};

describe('fitNode', () => {
  it('fits to the last byte, and says what the pool gives and has', () => {
    const { fit } = judge(nodeFacts('n1', { fast: poolFacts(100) }), [need(100)]);

    expect(fit).to.deep.equal([{ pool: 'fast', needs: [need(100)], needed: 100, room: room(100) }]);
  });

  it('adds the volumes of one pool before it compares', () => {
    const node = nodeFacts('n1', { fast: poolFacts(10) });

    expect(refusal(node, [need(6), need(6)])).to.equal('insufficient');
    expect(refusal(node, [need(6), need(4)])).to.equal('');
  });

  it('compares every pool for itself', () => {
    const node = nodeFacts('n1', { fast: poolFacts(10), slow: poolFacts(5) });

    expect(refusal(node, [need(6), need(4, { pool: 'slow' })])).to.equal('');
    expect(judge(node, [need(6), need(6, { pool: 'slow' })]).rejection).to.include({
      kind: 'insufficient',
      pool: 'slow',
      needed: 6,
    });
  });

  it('gives no directory to a claim that wants a raw device, and says so alike on every node', () => {
    const node = nodeFacts('n1', { dirs: poolFacts(100, { gives: 'directory' }) });
    const raw = need(1, { pool: 'dirs', volumeMode: 'Block' });
    const { rejection } = judge(node, [need(1, { pool: 'dirs' }), raw]);

    expect(rejection).to.deep.equal({ kind: 'no-devices', pool: 'dirs', why: 'volumeMode Block' });
    expect(rejection && describeRejection(rejection)).to.equal(
      'berth: pool dirs gives directories, and volumeMode Block needs a device',
    );
    const limited = need(1, { pool: 'dirs', ioLimits: { readIops: 5 } });
    expect(judge(node, [limited]).rejection).to.deep.include({
      kind: 'no-devices',
      why: 'a limit for reading or writing',
    });
    const formatted = need(1, { pool: 'dirs', mkfsOptions: ['-m', '1'] });
    expect(judge(node, [formatted]).rejection).to.deep.include({ why: 'mkfsOptions' });
    const encryption = { type: 'luks2', keyFile: 'a' } as const;
    expect(judge(node, [need(1, { pool: 'dirs', encryption })]).rejection).to.deep.include({
      kind: 'no-devices',
      why: 'encryption luks2',
    });
    expect(refusal(node, [need(1, { pool: 'dirs' })])).to.equal('');
    expect(refusal(nodeFacts('n1', { dirs: poolFacts(100) }), [raw])).to.equal('');
  });

  it('counts what the backend adds to each volume', () => {
    const allocatedFor = (size: number) => bytes(size + 2);
    const node = nodeFacts('n1', { fast: poolFacts(13, { allocatedFor }) });

    expect(refusal(node, [need(5), need(4)])).to.equal('');
    expect(judge(node, [need(5), need(5)]).rejection).to.deep.include({ asked: 10, needed: 14 });
  });

  it('counts the header of each encrypted volume', () => {
    const header = 16 * 1024 * 1024;
    const node = nodeFacts('n1', { fast: poolFacts(2 * header + 9) });
    const encryption = { type: 'luks2', keyFile: 'a' } as const;

    expect(refusal(node, [need(5, { encryption }), need(4, { encryption })])).to.equal('');
    const { rejection } = judge(node, [need(5, { encryption }), need(5, { encryption })]);
    expect(rejection).to.deep.include({ asked: 10, needed: 2 * header + 10 });
  });

  it('refuses where no single piece is large enough', () => {
    const node = nodeFacts('n1', { fast: poolFacts(100, { room: room(100, { largest: 40 }) }) });

    expect(refusal(node, [need(40), need(40)])).to.equal('');
    expect(refusal(node, [need(41)])).to.equal('fragmented');
  });

  it('gives each volume a disk of its own where a pool gives only whole ones', () => {
    const twoDisks = { ...room(100, { largest: 60 }), pieces: piecesOf([60, 40].map(bytes), true) };
    const node = nodeFacts('n1', { fast: poolFacts(100, { room: twoDisks }) });

    expect(refusal(node, [need(50), need(40)])).to.equal('');
    expect(refusal(node, [need(50), need(41)])).to.equal('fragmented');
    expect(refusal(node, [need(1), need(1), need(1)])).to.equal('fragmented');
  });

  it('refuses what is not known, or known to be ill', () => {
    const silent = nodeFacts('n1', { fast: poolFacts(100) }, { alive: false });
    const unreadable = poolFacts(0, { room: undefined, healthy: false, problem: 'has no report' });

    const nameless = nodeFacts('n1', { fast: poolFacts(100) }, { labels: {} });

    expect(refusal(silent, [need(1)])).to.equal('agent-silent');
    expect(refusal(nameless, [need(1)])).to.equal('no-hostname');
    expect(refusal(nodeFacts('n1', {}), [need(1)])).to.equal('no-pool');
    expect(refusal(nodeFacts('n1', { fast: unreadable }), [need(1)])).to.equal('report-unreadable');
    expect(
      refusal(nodeFacts('n1', { fast: poolFacts(100, { healthy: false }) }), [need(1)]),
    ).to.equal('pool-unhealthy');
  });

  it('goes where the volumes lie that the pod has, by node and by label', () => {
    const here = nodeFacts('n1', { fast: poolFacts(100) });
    const there = nodeFacts('n2', { fast: poolFacts(100) });

    for (const pin of [onN1, byLabel]) {
      expect(refusal(here, [need(1)], [pin])).to.equal('');
      expect(judge(there, [need(1)], [pin]).rejection).to.deep.equal({
        kind: 'pinned',
        claim: pin.claim,
      });
    }
  });

  it('asks no agent for volumes that exist', () => {
    const silent = nodeFacts('n1', {}, { alive: false });

    expect(judge(silent, [], [onN1, byLabel]).fit).to.deep.equal([]);
  });

  it('survives a sum beyond all numbers', () => {
    const node = nodeFacts('n1', { fast: poolFacts(100) });
    const absurd = Array.from({ length: 5 }, () => need(2 ** 52));

    expect(refusal(node, absurd)).to.equal('insufficient');
  });
});

describe('fitNode beside putting one volume after the other', () => {
  const aPool = fc.record({ free: fc.nat(60), hole: fc.nat(30), overhead: fc.nat(3) });
  const aNeed = fc.record({ pool: fc.constantFrom('fast', 'slow'), size: fc.nat(40) });

  it('fits exactly where each one finds its place beside those before it', () => {
    fc.assert(
      fc.property(fc.tuple(aPool, aPool), fc.array(aNeed, { maxLength: 5 }), (pools, needs) => {
        const names = ['fast', 'slow'] as const;
        const facts = pools.map(({ free, hole, overhead }) => ({
          ...poolFacts(free, { room: room(free, { largest: Math.max(0, free - hole) }) }),
          allocatedFor: (size: number) => bytes(size + overhead),
        }));
        const byName = Object.fromEntries(names.map((name, i) => [name, facts[i] ?? poolFacts(0)]));

        const left = new Map<string, number>(names.map((name, i) => [name, pools[i]?.free ?? 0]));
        const allFit = needs.every(({ pool, size }) => {
          const { overhead = 0, free = 0, hole = 0 } = pools[names.indexOf(pool)] ?? {};
          const now = (left.get(pool) ?? 0) - size - overhead;
          left.set(pool, now);
          return now >= 0 && size + overhead <= Math.max(0, free - hole);
        });

        const verdict = judge(
          nodeFacts('n1', byName),
          needs.map(({ pool, size }) => need(size, { pool })),
        );
        expect(verdict.fit !== undefined).to.equal(allFit);
        for (const { pool, room: before, needed } of verdict.fit ?? []) {
          expect(before.free - needed).to.equal(left.get(pool));
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('describeRejection', () => {
  it('says the same for nodes that differ only in what they have', () => {
    const texts = [3, 5, 9].map((free) => {
      const node = nodeFacts(`n${free}`, { fast: poolFacts(free) });
      const { rejection } = judge(node, [need(2 ** 30)]);
      return rejection && describeRejection(rejection);
    });

    expect(new Set(texts)).to.deep.equal(new Set(['berth: less than 1Gi free in pool fast']));
  });

  it('says the same whatever the overhead of each node is', () => {
    const texts = [1, 2].map((overhead) => {
      const pool = poolFacts(3, { allocatedFor: (size) => bytes(size + overhead) });
      const { rejection } = judge(nodeFacts('n1', { fast: pool }), [need(4)]);
      return rejection && describeRejection(rejection);
    });

    expect(texts[0]).to.equal(texts[1]);
  });

  it('has a short text for every kind, and names what it speaks of', () => {
    const lack = { pool: 'fast', asked: bytes(9), needed: bytes(10), room: room(3) };
    const texts = (
      [
        { kind: 'unknown-node' },
        { kind: 'agent-silent' },
        { kind: 'pinned', claim: 'shop/data' },
        { kind: 'no-hostname' },
        { kind: 'no-pool', pool: 'fast' },
        { kind: 'pool-unhealthy', pool: 'fast' },
        { kind: 'report-unreadable', pool: 'fast' },
        { kind: 'insufficient', ...lack },
        { kind: 'fragmented', ...lack },
      ] as const
    ).map(describeRejection);

    expect(new Set(texts).size).to.equal(9);
    texts.forEach((text) => expect(text).to.match(/^berth: .{10,90}$/));
    texts.slice(4).forEach((text) => expect(text).to.contain('pool fast'));
    expect(texts[2]).to.contain('shop/data');
  });
});
