import { expect } from 'chai';
import { bytes, MiB } from '../../../src/model/bytes.ts';
import { parseIoLimits, strictest } from '../../../src/model/io-limits.ts';

function read(given: Record<string, string>): { limits: unknown; mistakes: string[] } {
  const mistakes: string[] = [];
  const { ioLimits: limits } = parseIoLimits(given, mistakes);
  return { limits, mistakes };
}

describe('parseIoLimits', () => {
  it('finds none where none is set', () => {
    expect(read({ pool: 'fast' })).to.deep.equal({ limits: undefined, mistakes: [] });
  });

  it('takes any of them', () => {
    const all = {
      readIops: '1',
      writeIops: '4294967294',
      readBytesPerSecond: '100Mi',
      writeBytesPerSecond: '4Ki',
    };

    expect(read(all)).to.deep.equal({
      limits: {
        readIops: 1,
        writeIops: 4294967294,
        readBytesPerSecond: 100 * MiB,
        writeBytesPerSecond: 4096,
      },
      mistakes: [],
    });
    expect(read({ writeIops: '20' }).limits).to.deep.equal({ writeIops: 20 });
  });

  for (const [name, value] of [
    ['readIops', '0'],
    ['readIops', '1.5'],
    ['readIops', '1k'],
    ['writeIops', '4294967295'],
    ['writeIops', '-1'],
    ['writeIops', ''],
    ['readBytesPerSecond', '100'],
    ['readBytesPerSecond', 'fast'],
    ['writeBytesPerSecond', '0'],
    ['writeBytesPerSecond', '9Pi'],
  ] as const) {
    it(`refuses ${name} "${value}"`, () => {
      const { limits, mistakes } = read({ [name]: value });

      expect(limits).to.equal(undefined);
      expect(mistakes).to.have.lengthOf(1);
      expect(mistakes[0]).to.contain(`${name} is "${value}": `);
      expect(mistakes[0]).to.contain('allowed');
    });
  }
});

describe('strictest', () => {
  it('takes the lowest of each kind', () => {
    const limits = strictest([
      { readIops: 100, writeIops: 5 },
      { readIops: 50, readBytesPerSecond: bytes(4096) },
      {},
    ]);

    expect(limits).to.deep.equal({ readIops: 50, writeIops: 5, readBytesPerSecond: 4096 });
  });
});
