import { expect } from 'chai';
import fc from 'fast-check';
import { encodeHeader, headerBytes, parseHeader } from '../../../src/backends/loop-header.ts';
import type { Bytes } from '../../../src/model/bytes.ts';

const word = fc.string({ minLength: 1, maxLength: 253, unit: 'binary-ascii' });
const header = fc.record({
  name: word,
  volumeUid: word,
  pool: word,
  createdAt: word,
  bytes: fc.maxSafeNat().map((n) => n as Bytes),
});

describe('the header of a loop image', () => {
  it('says afterwards what was written', () => {
    fc.assert(
      fc.property(header, (written) => {
        const block = encodeHeader(written);
        expect(block.length).to.equal(headerBytes);
        expect(parseHeader(block)).to.deep.equal({ ok: true, value: written });
      }),
    );
  });

  it('is refused when any of its bytes has changed', () => {
    fc.assert(
      fc.property(header, fc.nat(), fc.integer({ min: 1, max: 255 }), (written, where, change) => {
        const block = encodeHeader(written);
        const at = where % (48 + block.readUInt32LE(12));
        block.writeUInt8(block.readUInt8(at) ^ change, at);
        expect(parseHeader(block).ok).to.equal(false);
      }),
    );
  });

  it('is never found in bytes of another kind, and never makes the reader fail', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2 * headerBytes }), (noise) => {
        expect(parseHeader(Buffer.from(noise)).ok).to.equal(false);
      }),
    );
    expect(parseHeader(Buffer.alloc(headerBytes))).to.deep.equal({
      ok: false,
      error: 'it has no Berth header',
    });
  });

  it('says which version it has when that is not ours', () => {
    const block = encodeHeader(fc.sample(header, 1)[0] as never);
    block.writeUInt32LE(2, 8);
    expect(parseHeader(block)).to.deep.equal({
      ok: false,
      error: 'its header has version 2, this program knows version 1',
    });
  });
});
