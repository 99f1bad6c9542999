import { expect } from 'chai';
import { DiskOwners } from '../../../src/backends/shared/disk-owners.ts';
import { discoveryDirectories, whoHasDisk } from '../../../src/commands/disk-claims.ts';
import { bytes } from '../../../src/model/bytes.ts';
import type { Disk } from '../../../src/model/disk.ts';
import type { NodePool } from '../../../src/usecases/node-pools.ts';

const disk: Disk = {
  ...{ id: 'serial-1', hasStableId: true, path: '/dev/sdb', links: [], type: 'disk' },
  ...{ bytes: bytes(2 ** 30), sectorBytes: 512, rotational: false, readOnly: false },
  ...{ removable: false, content: { partitions: [], holders: [], mountPoints: [] } },
};

describe('whoHasDisk', () => {
  let owners: DiskOwners;
  let list: () => readonly NodePool[];

  beforeEach(() => {
    const pool = { name: 'fast', backend: 'partition', applies: true };
    owners = new DiskOwners((name) => list().some((one) => one.name === name));
    list = () => [{ ...pool, devices: { paths: ['/dev/sd*'] } }];
  });

  it('does not know as long as a pool that may have the disk has not spoken', () => {
    expect(() => whoHasDisk(disk, { list }, owners)).to.throw('pool fast has not said yet');
    owners.took('fast', 'serial-2');
    expect(() => whoHasDisk(disk, { list }, owners)).to.throw('pool fast has not said yet');
    owners.saw('fast', []);
    expect(whoHasDisk(disk, { list }, owners)).to.equal(undefined);
  });

  it('knows who has it, selected or not', () => {
    owners.saw('fast', [{ id: 'serial-1', bytes: disk.bytes, state: 'leaving' }]);
    expect(whoHasDisk(disk, { list }, owners)).to.equal('fast');
    list = () => [{ name: 'fast', backend: 'partition', applies: false }];
    expect(whoHasDisk(disk, { list }, owners)).to.equal('fast');
  });

  it('waits for no pool that cannot have it', () => {
    list = () => [
      { name: 'files', backend: 'loop', applies: true },
      { name: 'slow', backend: 'lvm', applies: true, devices: { rotational: true } },
    ];
    expect(whoHasDisk(disk, { list }, owners)).to.equal(undefined);
  });
});

describe('discoveryDirectories', () => {
  it('are those of pools whose media are found', () => {
    const discovery = { directory: '/mnt/disks', storageClassName: 'found' };
    const pools = [
      { metadata: { name: 'a' }, spec: { backend: 'discovery', discovery } },
      { metadata: { name: 'b' }, spec: { backend: 'discovery', discovery: {} } },
      { metadata: { name: 'c' }, spec: { backend: 'directory', directory: discovery } },
    ];
    expect(discoveryDirectories(pools)).to.deep.equal(['/mnt/disks']);
  });
});
