import { expect } from 'chai';
import fc from 'fast-check';
import { bytes } from '../../../src/model/bytes.ts';
import { formatQuantity, parseQuantity } from '../../../src/model/quantity.ts';
import { aSize } from '../../support/arbitraries.ts';

describe('parseQuantity', () => {
  // What `Quantity.Value()` of apimachinery gives for the same text.
  for (const [text, size] of [
    ['0', 0],
    ['128974848', 128_974_848],
    ['+5', 5],
    ['5.', 5],
    ['.5', 1],
    ['0.1', 1],
    ['1Ki', 1024],
    ['1k', 1000],
    ['1Gi', 2 ** 30],
    ['1.5G', 1_500_000_000],
    ['0.5Ki', 512],
    ['0.1Ki', 103],
    ['12e6', 12_000_000],
    ['12E6', 12_000_000],
    ['1.5e+3', 1500],
    ['15e-1', 2],
    ['1500m', 2],
    ['1000m', 1],
    ['1u', 1],
    ['1n', 1],
    ['1e-400', 1],
    ['0e400', 0],
    ['7Pi', 7 * 2 ** 50],
    ['007', 7],
    ['4503599627370496.5', 4_503_599_627_370_497],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ] as const) {
    it(`reads ${text} as ${size}`, () => {
      expect(parseQuantity(text)).to.deep.equal({ ok: true, value: size });
    });
  }

  for (const text of [
    '',
    ' ',
    '.',
    '1Ki ',
    ' 1Ki',
    '1 Gi',
    '1Gi\n',
    '-1',
    '-1Gi',
    '+-1',
    'abc',
    'Gi',
    '1gi',
    '1KI',
    '1ki',
    '1mi',
    '1e',
    '1e1.5',
    '1e5Gi',
    '1.2.3',
    '0x10',
    '1_000',
    '1,5Gi',
    'NaN',
    'Infinity',
    '１Gi',
  ]) {
    it(`does not take ${JSON.stringify(text)} for a size`, () => {
      const result = parseQuantity(text);

      expect(!result.ok && result.error).to.match(/ is not a size: allowed are numbers like 10Gi/);
    });
  }

  for (const text of ['9Ei', '8Pi', '1E', '1e400', '1e99999999999', '9007199254740992']) {
    it(`calls ${text} too large`, () => {
      const result = parseQuantity(text);

      expect(result).to.deep.equal({
        ok: false,
        error: `"${text}" is too large: sizes must stay below 8Pi`,
      });
    });
  }

  it('refuses a million digits shortly', () => {
    const result = parseQuantity('9'.repeat(1_000_000));

    expect(!result.ok && result.error.length).to.be.below(200);
  });

  it('gives every whole number back', () => {
    fc.assert(
      fc.property(aSize, (size) => {
        expect(parseQuantity(String(size))).to.deep.equal({ ok: true, value: size });
      }),
    );
  });

  it('reads thousandths as the API server does: rounded up', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 50 }), (n) => {
        expect(parseQuantity(`${n}m`)).to.deep.equal({ ok: true, value: Math.ceil(n / 1000) });
      }),
    );
  });

  it('never throws, and gives only whole numbers', () => {
    const characters = fc.constantFrom(...Array.from('0123456789.+-eEmkKMGTPin '));
    fc.assert(
      fc.property(fc.string({ unit: characters, maxLength: 12 }), (text) => {
        const result = parseQuantity(text);

        expect(result.ok ? Number.isSafeInteger(result.value) : result.error !== '').to.equal(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe('formatQuantity', () => {
  for (const [size, text] of [
    [0, '0'],
    [1023, '1023'],
    [1024, '1Ki'],
    [64 * 2 ** 20, '64Mi'],
    [3 * 2 ** 50, '3Pi'],
    [2 ** 30 + 1, '1073741825'],
  ] as const) {
    it(`writes ${size} as ${text}`, () => {
      expect(formatQuantity(bytes(size))).to.equal(text);
    });
  }

  it('is read back as the same size', () => {
    fc.assert(
      fc.property(aSize, (size) => {
        expect(parseQuantity(formatQuantity(bytes(size)))).to.deep.equal({ ok: true, value: size });
      }),
    );
  });
});
