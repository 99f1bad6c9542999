import { expect } from 'chai';
import fc from 'fast-check';
import { bytes } from '../../../src/model/bytes.ts';
import type { Placement } from '../../../src/model/storage-class.ts';
import type { Fit, PoolFit } from '../../../src/scheduling/filter.ts';
import { scoreFits } from '../../../src/scheduling/score.ts';
import { need, room } from '../../support/facts.ts';

/** A pool with `free` before, of which 10 are needed. */
function part(free: number, placement: Placement = 'spread', pool = 'fast'): PoolFit {
  return {
    pool,
    needs: [need(10, { placement, pool })],
    needed: bytes(10),
    room: room(free),
  };
}

describe('scoreFits', () => {
  it('spreads: most room left is best', () => {
    expect(scoreFits([[part(10)], [part(60)], [part(110)]])).to.deep.equal([0, 5, 10]);
  });

  it('packs: least room left is best', () => {
    const fits = [10, 60, 110].map((free) => [part(free, 'pack')]);

    expect(scoreFits(fits)).to.deep.equal([10, 5, 0]);
  });

  it('gives a small pool as much weight as a large one', () => {
    const fits = [
      [part(20), part(1_000_000, 'spread', 'slow')],
      [part(10), part(2_000_000, 'spread', 'slow')],
    ];

    expect(scoreFits(fits)).to.deep.equal([5, 5]);
  });

  it('lets every class go by its own policy', () => {
    const fits = [
      [part(20), part(100, 'pack', 'slow')],
      [part(10), part(200, 'pack', 'slow')],
    ];

    expect(scoreFits(fits)).to.deep.equal([10, 0]);
  });

  it('tells equal candidates not apart, also where there is one', () => {
    expect(scoreFits([[part(50)], [part(50)]])).to.deep.equal([10, 10]);
    expect(scoreFits([[part(50)]])).to.deep.equal([10]);
    expect(scoreFits([])).to.deep.equal([]);
  });

  it('gives whole numbers from 0 to 10, in the order of the policy', () => {
    const frees = fc.array(fc.integer({ min: 10, max: 2 ** 45 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(frees, fc.constantFrom<Placement>('spread', 'pack'), (all, placement) => {
        const fits: Fit[] = all.map((free) => [part(free, placement)]);

        const scores = scoreFits(fits);

        scores.forEach((score) => expect(score).to.be.within(0, 10).and.satisfy(Number.isInteger));
        all.forEach((free, i) => {
          const better = all.findIndex((other) =>
            placement === 'spread' ? other > free : other < free,
          );
          if (better >= 0) {
            expect(scores[better]).to.be.at.least(scores[i] ?? 0);
          }
        });
        expect(Math.max(...scores)).to.equal(10);
      }),
    );
  });
});
