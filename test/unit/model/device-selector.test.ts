import { expect } from 'chai';
import { bytes, GiB } from '../../../src/model/bytes.ts';
import { parseDeviceSelector, selectsDisk } from '../../../src/model/device-selector.ts';
import { whyNotTaken, type Disk } from '../../../src/model/disk.ts';

const disk: Disk = {
  ...{ id: 'wwn-0x5000c500', hasStableId: true, path: '/dev/sdb', type: 'disk' },
  links: ['/dev/disk/by-id/ata-ST4000_Z1'],
  ...{ bytes: bytes(100 * GiB), sectorBytes: 512, model: 'ST4000', transport: 'sata' },
  ...{ rotational: true, readOnly: false, removable: false },
  content: { partitions: [], holders: [], mountPoints: [] },
};

function selects(spec: object, of: Partial<Disk> = {}): boolean {
  const selector = parseDeviceSelector(spec);
  if (!selector.ok) {
    throw new Error(selector.error);
  }
  return selectsDisk(selector.value, { ...disk, ...of });
}

describe('a selector of disks', () => {
  it('names the disks that every condition holds for', () => {
    expect(selects({ rotational: true, minSize: '100Gi', maxSize: '100Gi' })).to.equal(true);
    expect(selects({ rotational: true, minSize: '101Gi' })).to.equal(false);
    expect(selects({ transports: ['nvme', 'sata'], models: ['ST*'] })).to.equal(true);
    expect(selects({ transports: ['nvme'], models: ['ST*'] })).to.equal(false);
  });

  it('knows a disk by its id, its path and all its links', () => {
    expect(selects({ ids: ['wwn-0x5000c500'] })).to.equal(true);
    expect(selects({ paths: ['/dev/sd?'] })).to.equal(false);
    expect(selects({ paths: ['/dev/sd*'] })).to.equal(true);
    expect(selects({ paths: ['/dev/disk/by-id/ata-*'] })).to.equal(true);
  });

  it('means a loop device only where it is named itself', () => {
    const loop = { type: 'loop', path: '/dev/loop3', links: [] };

    expect(selects({ rotational: true }, loop)).to.equal(false);
    expect(selects({ paths: ['/dev/loop3'] }, loop)).to.equal(true);
  });

  const mistakes: [unknown, string][] = [
    [[], 'devices is []'],
    [{}, 'devices is empty'],
    [{ color: 'red' }, 'devices.color is not known: allowed are ids, paths'],
    [{ paths: '/dev/sdb' }, 'devices.paths is "/dev/sdb": a list'],
    [{ paths: [''] }, 'devices.paths is [""]'],
    [{ rotational: 'no' }, 'devices.rotational is "no"'],
    [{ minSize: 'big' }, 'devices.minSize: "big" is not a size'],
    [{ minSize: '2Gi', maxSize: '1Gi' }, 'devices.minSize is above devices.maxSize'],
  ];
  for (const [spec, says] of mistakes) {
    it(`is refused: ${JSON.stringify(spec)}`, () => {
      const read = parseDeviceSelector(spec);
      expect(read.ok ? '' : read.error).to.include(says);
    });
  }
});

describe('a disk that is not a pool’s yet', () => {
  it('may be taken when nothing is known of it', () => {
    expect(whyNotTaken(disk)).to.equal(undefined);
  });

  const kept: [string, Partial<Disk>, string][] = [
    ['a filesystem', { content: { ...disk.content, signature: 'ext4' } }, 'it holds ext4'],
    [
      'partitions',
      {
        content: {
          ...disk.content,
          partitions: [{ path: '/dev/sdb1', bytes: bytes(1024) }],
          partitionTable: 'gpt',
        },
      },
      'the partitions /dev/sdb1',
    ],
    ['an empty table', { content: { ...disk.content, partitionTable: 'gpt' } }, 'table (gpt)'],
    ['a holder', { content: { ...disk.content, holders: ['/dev/md0'] } }, 'part of /dev/md0'],
    ['a mount', { content: { ...disk.content, mountPoints: ['/data'] } }, 'mounted at /data'],
    ['no right to write', { readOnly: true }, 'read-only'],
    ['a slot for media', { removable: true }, 'removable'],
    ['no medium', { bytes: bytes(0) }, 'no medium'],
  ];
  for (const [what, change, says] of kept) {
    it(`is left alone: it has ${what}`, () => {
      expect(whyNotTaken({ ...disk, ...change })).to.include(says);
    });
  }
});
