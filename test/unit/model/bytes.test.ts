import { expect } from 'chai';
import fc from 'fast-check';
import {
  bytes,
  formatBytes,
  isBytes,
  minusBytes,
  roundUp,
  sumBytes,
} from '../../../src/model/bytes.ts';
import { parseQuantity } from '../../../src/model/quantity.ts';
import { aSize } from '../../support/arbitraries.ts';

describe('bytes', () => {
  for (const wrong of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
    it(`refuses ${wrong}`, () => {
      expect(() => bytes(wrong)).to.throw(RangeError, 'not a byte count');
      expect(isBytes(wrong)).to.equal(false);
    });
  }

  it('knows texts and nothing from numbers', () => {
    expect(isBytes('5')).to.equal(false);
    expect(isBytes(undefined)).to.equal(false);
    expect(isBytes(5)).to.equal(true);
  });

  it('never goes below nothing', () => {
    expect(minusBytes(bytes(5), 7)).to.equal(0);
    expect(minusBytes(bytes(7), 5)).to.equal(2);
  });

  it('counts a sum that is too large as the largest there is', () => {
    const half = bytes(2 ** 52);

    expect(sumBytes([half, half, half])).to.equal(Number.MAX_SAFE_INTEGER);
    expect(sumBytes([bytes(1), bytes(2)])).to.equal(3);
    expect(sumBytes([])).to.equal(0);
  });

  it('rounds up to whole units', () => {
    expect(roundUp(bytes(4097), 4096)).to.equal(8192);
    expect(roundUp(bytes(4096), 4096)).to.equal(4096);
    expect(roundUp(bytes(0), 4096)).to.equal(0);
  });
});

describe('formatBytes', () => {
  for (const [size, text] of [
    [0, '0'],
    [1023, '1023'],
    [1024, '1Ki'],
    [1536, '1.5Ki'],
    [2 ** 30 - 1, '1023.99Mi'],
    [8 * 2 ** 30, '8Gi'],
    [2 ** 50, '1Pi'],
    [Number.MAX_SAFE_INTEGER, '7.99Pi'],
  ] as const) {
    it(`writes ${size} as ${text}`, () => {
      expect(formatBytes(bytes(size))).to.equal(text);
    });
  }

  it('never says more than there is, and never a hundredth less', () => {
    fc.assert(
      fc.property(aSize, (size) => {
        const said = parseQuantity(formatBytes(size));

        expect(said.ok && said.value).to.be.within(Math.floor(size * 0.99), size);
      }),
    );
  });
});
