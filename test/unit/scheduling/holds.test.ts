import { expect } from 'chai';
import { bytes } from '../../../src/model/bytes.ts';
import { Holds } from '../../../src/scheduling/holds.ts';
import { need } from '../../support/facts.ts';

const needs = { fast: [need(10), need(5)], slow: [need(7, { pool: 'slow' })] };
const room = { total: bytes(100), free: bytes(100), largest: bytes(100), inFlight: bytes(0) };
const fit = [
  { pool: 'fast', needs: needs.fast, needed: bytes(15), room },
  { pool: 'slow', needs: needs.slow, needed: bytes(7), room },
];
const on = (...nodes: string[]) => nodes.map((node) => ({ node, fit }));
const fastOn = (node: string) => ({ node, pool: 'fast' });

describe('Holds', () => {
  let ended: number;
  let holds: Holds;
  beforeEach(() => {
    ended = 0;
    holds = new Holds(() => (ended += 1));
  });

  it('holds what the pod needs on every node that it may get, and nowhere else', () => {
    holds.put('a', on('n1', 'n2'), 100);

    expect(holds.heldIn(fastOn('n1'))).to.equal(15);
    expect(holds.heldIn({ node: 'n2', pool: 'slow' })).to.equal(7);
    expect(holds.heldIn({ node: 'n2', pool: 'other' })).to.equal(0);
    expect(holds.heldIn(fastOn('n3'))).to.equal(0);
  });

  it('holds only the node whose bind has come, until that ends', () => {
    holds.put('a', on('n1', 'n2'), 100);
    holds.settle('a', 'n2');
    holds.settle('unknown', 'n2');

    expect(holds.heldIn(fastOn('n1'))).to.equal(0);
    expect(holds.anyBut('b', 1_000_000)).to.equal(true);
    expect(holds.heldIn(fastOn('n2'))).to.equal(15);
    holds.end('a');
    expect(holds.heldIn(fastOn('n2'))).to.equal(0);
    expect(ended).to.equal(2);
  });

  it('adds up what several pods hold, until each has ended', () => {
    holds.put('a', on('n1'), 100);
    holds.put('b', on('n1', 'n2'), 100);
    expect(holds.heldIn(fastOn('n1'))).to.equal(30);

    holds.end('a');
    expect(holds.heldIn(fastOn('n1'))).to.equal(15);
    holds.end('b');
    expect(holds.heldIn(fastOn('n1'))).to.equal(0);
  });

  it('knows whether any other pod holds something', () => {
    holds.put('a', on('n1'), 100);

    expect(holds.anyBut('a', 0)).to.equal(false);
    expect(holds.anyBut('b', 0)).to.equal(true);
  });

  it('takes a second filter of the pod for the first one’s end', () => {
    holds.put('a', on('n1'), 100);
    holds.put('a', on('n2'), 100);

    expect(holds.heldIn(fastOn('n1'))).to.equal(0);
    expect(holds.heldIn(fastOn('n2'))).to.equal(15);
  });

  it('lapses at its time, and not before', () => {
    holds.put('a', on('n1'), 100);

    expect(holds.anyBut('b', 99)).to.equal(true);
    expect(holds.anyBut('b', 100)).to.equal(false);
    expect(holds.heldIn(fastOn('n1'))).to.equal(0);
  });

  it('tells of the end of a hold, once', () => {
    holds.put('a', on('n1'), 100);
    holds.end('a');
    holds.end('a');
    holds.end('never held');

    expect(ended).to.equal(1);
    expect(holds.anyBut('b', 0)).to.equal(false);
  });
});
