import { expect } from 'chai';
import fc from 'fast-check';
import { imageBytesFor, measure, usableFor } from '../../../src/backends/loop-space.ts';
import { bytes, GiB, KiB, MiB } from '../../../src/model/bytes.ts';

const image = (size: number, used = size) => ({ size: bytes(size), used: bytes(used) });
const disk = (capacity: number, available = capacity) => ({
  capacity: bytes(capacity),
  available: bytes(available),
});

describe('the space of a loop pool', () => {
  it('counts header and whole blocks', () => {
    expect(imageBytesFor(bytes(1))).to.equal(MiB + 4 * KiB);
    expect(imageBytesFor(bytes(GiB))).to.equal(GiB + MiB);
    expect(usableFor(bytes(4097))).to.equal(8192);
  });

  it('does not give what a sparse image was promised', () => {
    const usage = measure(bytes(100 * GiB), [image(6 * GiB, GiB)], disk(10 * GiB, 9 * GiB));

    expect(usage).to.deep.include({ total: 10 * GiB, allocated: 6 * GiB, free: 4 * GiB });
  });

  it('is bound by whichever is less: its limit, or what others left of the filesystem', () => {
    const limited = measure(bytes(10 * GiB), [image(4 * GiB)], disk(100 * GiB));
    const crowded = measure(bytes(10 * GiB), [image(4 * GiB)], disk(100 * GiB, 2 * GiB));

    expect([limited.free, crowded.free]).to.deep.equal([6 * GiB, 2 * GiB]);
  });

  it('has nothing free when it holds more than its limit', () => {
    const usage = measure(bytes(GiB), [image(2 * GiB)], disk(10 * GiB));

    expect(usage).to.deep.equal({ total: GiB, allocated: 2 * GiB, free: 0, largest: 0 });
  });

  it('has no largest volume when not even the smallest fits', () => {
    const { free, largest } = measure(bytes(GiB), [image(GiB - MiB)], disk(10 * GiB));

    expect([free, largest]).to.deep.equal([MiB, 0]);
  });

  it('never says that more is free than there is', () => {
    const size = fc.integer({ min: 0, max: 2 ** 40 }).map(bytes);
    const images = fc.array(fc.record({ size, used: size }), { maxLength: 20 });
    const filesystem = fc.record({ capacity: size, available: size });
    fc.assert(
      fc.property(size, images, filesystem, (limit, list, fs) => {
        const { total, free, largest } = measure(limit, list, fs);
        expect(free).to.be.at.most(Math.min(total, fs.available, limit));
        expect(largest).to.be.at.most(free);
      }),
    );
  });
});
