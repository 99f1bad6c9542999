import { expect } from 'chai';
import { bytes } from '../../../src/model/bytes.ts';
import { groupByPool } from '../../../src/scheduling/filter.ts';
import { Holds } from '../../../src/scheduling/holds.ts';
import { asAsked, need } from '../../support/facts.ts';

const groups = groupByPool([need(10), need(5), need(7, { pool: 'slow' })]);
const fastOn = (node: string) => ({ node, pool: 'fast' });

describe('Holds', () => {
  let ended: number;
  let holds: Holds;
  beforeEach(() => {
    ended = 0;
    holds = new Holds(() => (ended += 1));
  });

  it('holds what the pod needs on every node that it may get, and nowhere else', () => {
    holds.put('a', groups, ['n1', 'n2'], 100);

    expect(holds.heldIn(fastOn('n1'), 'b', asAsked)).to.equal(15);
    expect(holds.heldIn({ node: 'n2', pool: 'slow' }, 'b', asAsked)).to.equal(7);
    expect(holds.heldIn({ node: 'n2', pool: 'other' }, 'b', asAsked)).to.equal(0);
    expect(holds.heldIn(fastOn('n3'), 'b', asAsked)).to.equal(0);
  });

  it('does not hold against the pod itself', () => {
    holds.put('a', groups, ['n1'], 100);

    expect(holds.heldIn(fastOn('n1'), 'a', asAsked)).to.equal(0);
    expect(holds.anyBut('a', 0)).to.equal(false);
    expect(holds.anyBut('b', 0)).to.equal(true);
  });

  it('counts in the sizes of the backend', () => {
    holds.put('a', groups, ['n1'], 100);

    expect(holds.heldIn(fastOn('n1'), 'b', (size) => bytes(size + 1))).to.equal(17);
  });

  it('takes a second filter of the pod for the first one’s end', () => {
    holds.put('a', groups, ['n1'], 100);
    holds.put('a', groups, ['n2'], 100);

    expect(holds.heldIn(fastOn('n1'), 'b', asAsked)).to.equal(0);
    expect(holds.heldIn(fastOn('n2'), 'b', asAsked)).to.equal(15);
  });

  it('lapses at its time, and not before', () => {
    holds.put('a', groups, ['n1'], 100);

    expect(holds.anyBut('b', 99)).to.equal(true);
    expect(holds.anyBut('b', 100)).to.equal(false);
    expect(holds.heldIn(fastOn('n1'), 'b', asAsked)).to.equal(0);
  });

  it('tells of the end of a hold, once', () => {
    holds.put('a', groups, ['n1'], 100);
    holds.end('a');
    holds.end('a');
    holds.end('never held');

    expect(ended).to.equal(1);
    expect(holds.anyBut('b', 0)).to.equal(false);
  });
});
