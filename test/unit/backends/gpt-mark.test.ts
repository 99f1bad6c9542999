import { expect } from 'chai';
import fc from 'fast-check';
import { encodeMark, parseMark } from '../../../src/backends/shared/gpt-mark.ts';

const mark = { pool: 'fast', table: '44d2c8df-aec1-864f-bdaf-26d852fe0e39', whole: true };

describe('the mark of a disk', () => {
  it('is read as it was written', () => {
    expect(parseMark(encodeMark(mark))).to.deep.equal({ ok: true, value: mark });
  });

  it('is none where something else stands, or nothing', () => {
    for (const block of [Buffer.alloc(4096), Buffer.from('notes'), Buffer.alloc(0)]) {
      expect(parseMark(block)).to.deep.equal({ ok: true, value: undefined });
    }
  });

  it('is never read as another one when it is damaged', () => {
    const whole = encodeMark(mark);
    fc.assert(
      fc.property(fc.nat(4095), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const block = Buffer.from(whole);
        block[at] = (block[at] ?? 0) ^ flip;
        const read = parseMark(block);
        const isSame = read.ok && JSON.stringify(read.value) === JSON.stringify(mark);
        expect(isSame || !read.ok || read.value === undefined).to.equal(true);
      }),
    );
  });
});
