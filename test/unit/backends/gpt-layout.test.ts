import { expect } from 'chai';
import fc from 'fast-check';
import {
  gapsOf,
  measureRooms,
  placeIn,
  type Cutting,
} from '../../../src/backends/shared/gpt-layout.ts';
import type { Partition, Table } from '../../../src/backends/shared/gpt-table.ts';
import { bytes, MiB } from '../../../src/model/bytes.ts';

const end = 100 * MiB;

function tableOf(parts: readonly (readonly [start: number, bytes: number])[], slots = 128): Table {
  const partitions = parts.map(([start, size], index): Partition => {
    const about = { type: '', uuid: '', name: '', number: index + 1 };
    return { ...about, start: bytes(start), bytes: bytes(size) };
  });
  return { id: '', sectorBytes: 512, end: bytes(end), slots, partitions };
}

const cutting: Cutting = {
  regions: gapsOf,
  cut: ({ start }, wanted) => ({ start, bytes: wanted }),
  takesWhole: false,
};

describe('the layout of a disk', () => {
  it('has gaps that are aligned and touch no partition, whatever is on it', () => {
    const parts = fc.array(fc.tuple(fc.nat(end - 1), fc.integer({ min: 1, max: 20 * MiB })), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(parts, (all) => {
        const gaps = gapsOf(tableOf(all));
        for (const gap of gaps) {
          expect([gap.start % MiB, gap.bytes % MiB]).to.deep.equal([0, 0]);
          expect(gap.start).to.be.at.least(MiB);
          expect(gap.start + gap.bytes).to.be.at.most(end);
          const touched = all.filter(([s, b]) => s < gap.start + gap.bytes && gap.start < s + b);
          expect(touched).to.deep.equal([]);
        }
        for (let at = MiB; at < end; at += MiB) {
          const isTaken = all.some(([s, b]) => s < at + MiB && at < s + b);
          const isFree = gaps.some((gap) => gap.start <= at && at < gap.start + gap.bytes);
          expect(isFree).to.equal(!isTaken);
        }
      }),
    );
  });

  it('gives the smallest gap of all disks that is large enough', () => {
    const rooms = [
      { disk: 'a', table: tableOf([[20 * MiB, 60 * MiB]]) },
      { disk: 'b', table: tableOf([[10 * MiB, 80 * MiB]]) },
    ];
    const place = (size: number) => placeIn(rooms, bytes(size * MiB), cutting);

    expect(place(9)).to.deep.include({ disk: 'b', region: { start: MiB, bytes: 9 * MiB } });
    expect(place(15)).to.deep.include({ disk: 'a', region: { start: MiB, bytes: 15 * MiB } });
    expect(place(21)).to.equal(undefined);
    expect(measureRooms(rooms, cutting)).to.deep.equal({
      ...{ unused: 58 * MiB, free: 58 * MiB, largest: 20 * MiB },
      pieces: { sizes: [20, 19, 10, 9].map((size) => size * MiB), whole: false },
    });
  });

  it('has nothing to give when its table is full', () => {
    const rooms = [{ disk: 'a', table: tableOf([[20 * MiB, MiB]], 1) }];

    expect(placeIn(rooms, bytes(MiB), cutting)).to.equal(undefined);
    expect(measureRooms(rooms, cutting)).to.deep.include({ unused: 98 * MiB, free: 0, largest: 0 });
  });
});
