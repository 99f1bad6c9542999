import { expect } from 'chai';
import fc from 'fast-check';
import { bytes } from '../../../src/model/bytes.ts';
import { mostPieces, piecesOf, putInto, putIntoSurely } from '../../../src/model/pieces.ts';

const sizes = (...all: number[]) => all.map((size) => bytes(size));
const gaps = (...all: number[]) => piecesOf(sizes(...all), false);
const disks = (...all: number[]) => piecesOf(sizes(...all), true);

describe('the free pieces of a pool', () => {
  it('are told from the biggest on, and only the biggest ones', () => {
    expect(gaps(1, 3, 0, 2)).to.deep.equal({ sizes: [3, 2, 1], whole: false });
    expect(disks(...Array.from({ length: 100 }, (_, n) => n + 1)).sizes).to.have.length(mostPieces);
  });

  it('give each volume the smallest piece that holds it', () => {
    expect(putInto(gaps(10, 6, 3), [5, 3])).to.deep.equal(gaps(10, 1));
    expect(putInto(disks(10, 6, 3), [5, 1])).to.deep.equal(disks(10));
  });

  it('say that one volume finds none, although there is enough in all', () => {
    expect(putInto(gaps(4, 4), [5])).to.equal(undefined);
    expect(putInto(disks(100), [1, 1])).to.equal(undefined);
    expect(putInto(gaps(100), [1, 1])).to.deep.equal(gaps(98));
  });

  it('count a promise that finds no piece against the biggest', () => {
    expect(putIntoSurely(gaps(4, 3), [9])).to.deep.equal(gaps(3));
    expect(putIntoSurely(disks(), [9])).to.deep.equal(disks());
  });

  it('never give more than they have, in whatever order promises came', () => {
    const list = fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 12 });
    fc.assert(
      fc.property(list, list, fc.boolean(), (free, needs, whole) => {
        const before = piecesOf(sizes(...free), whole);
        const after = putInto(before, needs);
        const sum = (all: readonly number[]): number => all.reduce((a, b) => a + b, 0);
        if (after) {
          expect(sum(after.sizes) + sum(needs)).to.be.at.most(sum(before.sizes));
        }
        expect(putInto(before, [...needs].reverse())).to.deep.equal(after);
        expect(sum(putIntoSurely(before, needs).sizes)).to.be.at.most(sum(before.sizes));
      }),
    );
  });
});
