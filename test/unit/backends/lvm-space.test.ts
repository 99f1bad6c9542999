import { expect } from 'chai';
import fc from 'fast-check';
import type { Group, LogicalVolume } from '../../../src/backends/lvm-look.ts';
import type { Layout } from '../../../src/backends/lvm-options.ts';
import { illVolumes, measure } from '../../../src/backends/lvm-space.ts';
import { bytes, MiB } from '../../../src/model/bytes.ts';

const extentBytes = bytes(4 * MiB);

function groupWith(free: readonly number[], missing = false): Group {
  const disks = free.map((freeExtents, index) => ({
    ...{ path: `/dev/sd${index}`, uuid: String(index), bytes: bytes(0), freeExtents },
    ...{ extents: freeExtents, isOpen: true, isMissing: missing && index === 0 },
  }));
  return { name: 'vg0', tags: [], extentBytes, disks, volumes: [] };
}

function room(free: readonly number[], layout: Layout, missing = false) {
  const options = { volumeGroup: 'vg0', extentBytes, layout };
  const { free: all, largest, warnings } = measure(groupWith(free, missing), 'fast', options);
  return { free: all / extentBytes, largest: largest / extentBytes, warnings };
}

const thinPool: LogicalVolume = {
  ...{ name: 'berth-thin', tags: ['berth', 'berth-pool=fast', 'berth-thin-pool'] },
  ...{ bytes: bytes(32 * MiB), layout: 'thin,pool', path: '/dev/mapper/vg0-berth--thin' },
  ...{ isActive: true, rows: 1, dataUsed: 0.1, metadataUsed: 0.1, status: '', needsCheck: false },
};
const striped: Layout = { type: 'striped', stripes: 2 };

describe('the room of a volume group', () => {
  it('is all that is free for linear volumes', () => {
    expect(room([10, 6, 1], { type: 'linear' })).to.deep.include({ free: 17, largest: 17 });
  });

  it('is what lies on enough disks at once for striped and mirrored ones', () => {
    expect(room([10, 6, 1], striped)).to.deep.include({ free: 14, largest: 12 });
    expect(room([10], striped)).to.deep.include({ free: 0, largest: 0 });
    expect(room([10, 1], { type: 'mirrored', copies: 2 })).to.deep.include({ free: 0, largest: 0 });
  });

  it('is none while a disk is missing', () => {
    const { free, warnings } = room([10, 6], { type: 'linear' }, true);

    expect(free).to.equal(0);
    expect(warnings?.join()).to.include('vg0');
  });

  it('is none of a thin pool either, while a disk is missing', () => {
    const thin = { warnAt: 0.8, refuseAt: 0.95, overcommit: 2, size: { part: 0.9 } };
    const { free, warnings, under } = measure(
      { ...groupWith([10, 6], true), volumes: [thinPool] },
      'fast',
      { volumeGroup: 'vg0', extentBytes, layout: { type: 'thin', thin } },
    );

    expect(free).to.equal(0);
    expect(warnings?.join()).to.include('lacks 1');
    expect(under).to.deep.equal(['/dev/sd1', '/dev/mapper/vg0-berth--thin']);
  });

  it('is none of a thin pool that can no longer be written, and says what to do', () => {
    const thin = { warnAt: 0.8, refuseAt: 1, overcommit: 2, size: { part: 0.9 } };
    const measured = (metadataUsed: number, status: string) =>
      measure({ ...groupWith([10]), volumes: [{ ...thinPool, metadataUsed, status }] }, 'fast', {
        volumeGroup: 'vg0',
        extentBytes,
        layout: { type: 'thin', thin },
      });

    const full = measured(1, 'metadata_read_only');
    expect(full).to.include({ free: 0, largest: 0 });
    expect(full.problem).to.include('vg0/berth-thin').and.include('lvextend --poolmetadatasize');
    expect(measured(0.5, 'metadata_read_only').problem).to.include('can no longer be written');
    expect(measured(0.99, '').problem).to.equal(undefined);
    expect(measured(0.99, '').free).to.be.above(0);
  });

  it('comes with what LVM says of volumes of the pool, and of no others', () => {
    const ill = { ...thinPool, status: 'out_of_data' };
    const other = { ...ill, name: 'another', tags: [] };
    const said = illVolumes({ ...groupWith([10]), volumes: [ill, other] }, 'fast');

    expect(said).to.have.lengthOf(1);
    expect(said[0]).to.include('vg0/berth-thin: out_of_data');
    expect(illVolumes({ ...groupWith([10]), volumes: [thinPool] }, 'fast')).to.deep.equal([]);
  });

  it('can be used up to the last, and never holds more than the disks', () => {
    const counts = fc.array(fc.nat(30), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(counts, fc.integer({ min: 2, max: 4 }), (free, stripes) => {
        const { free: promised, largest } = room(free, { type: 'striped', stripes });
        const left = [...free];
        let taken = 0;
        for (;;) {
          left.sort((a, b) => b - a);
          if ((left[stripes - 1] ?? 0) === 0) break;
          for (let row = 0; row < stripes; row += 1) left[row] = (left[row] ?? 0) - 1;
          taken += stripes;
        }
        expect(promised).to.equal(taken);
        expect(largest).to.be.at.most(promised);
      }),
    );
  });
});
