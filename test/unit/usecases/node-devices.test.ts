import { expect } from 'chai';
import { bytes, GiB } from '../../../src/model/bytes.ts';
import type { Disk } from '../../../src/model/disk.ts';
import { NodeDevices } from '../../../src/usecases/node-devices.ts';
import type { NodePool } from '../../../src/usecases/node-pools.ts';
import type { PoolStanding } from '../../../src/usecases/node-ports.ts';
import type { DiskInPool } from '../../../src/usecases/ports.ts';

const none = bytes(0);

function disk(name: string, changes: Partial<Disk> = {}): Disk {
  return {
    ...{ id: `serial-${name}`, hasStableId: true, path: `/dev/${name}`, links: [], type: 'disk' },
    ...{ bytes: bytes(GiB), sectorBytes: 512, rotational: false },
    ...{ readOnly: false, removable: false },
    content: { partitions: [], holders: [], mountPoints: [] },
    ...changes,
  };
}

function pool(name: string, disks: readonly DiskInPool[]): PoolStanding {
  const room = { total: none, free: none, largest: none, volumes: 0 };
  return { name, backend: 'lvm', healthy: true, ...room, disks };
}

describe('NodeDevices', () => {
  let there: readonly Disk[];
  let failure: Error | undefined;
  let told: string[];
  let logged: number;
  let devices: NodeDevices;

  beforeEach(() => {
    there = [disk('sda'), disk('sdb')];
    failure = undefined;
    told = [];
    logged = 0;
    const log = { info: () => {}, warn: () => (logged += 1), error: () => {} };
    devices = new NodeDevices({
      disks: {
        list: async () => {
          if (failure) {
            throw failure;
          }
          return there;
        },
      },
      events: {
        normal: (_, reason, text) => told.push(`${reason} ${text}`),
        warning: () => {},
      },
      log,
      about: () => ({ apiVersion: 'v1', kind: 'StorageNode', name: 'n1' }),
    });
  });

  const show = (pools: readonly NodePool[] = [], standings: readonly PoolStanding[] = []) =>
    devices.show(pools, standings);

  it('tells of disks that come and go, and not of those that were there at first', async () => {
    await show();
    expect(told).to.deep.equal([]);

    there = [disk('sda'), disk('sdc')];
    await show();
    await show();

    expect(told).to.deep.equal([
      'DiskFound serial-sdc (/dev/sdc, 1Gi): pools may take it',
      'DiskGone serial-sdb (was /dev/sdb, 1Gi)',
    ]);
  });

  it('tells of what came while no agent ran', async () => {
    devices.resume((await show()).slice(0, 1));
    await show();

    expect(told).to.have.length(1);
    expect(told[0]).to.contain('DiskFound serial-sdb');
  });

  it('shows what was known last while disks cannot be listed', async () => {
    const before = await show();
    failure = new Error('no answer');

    expect(await show()).to.deep.equal(before);
    await show();
    expect(told).to.deep.equal([]);
    expect(logged).to.equal(1);
  });

  it('says whose a disk is, and why a pool cannot have it', async () => {
    const signed = { ...disk('sdb').content, signature: 'LVM2_member' };
    there = [disk('sda'), disk('sdb', { content: signed }), disk('sdc'), disk('sdd')];
    const inPool = (id: string, state: DiskInPool['state']): DiskInPool => ({
      ...{ id: `serial-${id}`, bytes: none, state, message: `it is ${state}` },
    });

    const shown = await show(
      [],
      [pool('fast', [inPool('sdb', 'used'), inPool('sdc', 'refused')]), pool('slow', [])],
    );

    expect(shown.map(({ pool, available, reason }) => [pool, available, reason])).to.deep.equal([
      [undefined, true, undefined],
      ['fast', false, 'it belongs to pool fast'],
      [undefined, false, 'it is refused'],
      [undefined, true, undefined],
    ]);
  });

  it('shows loop devices only where a pool selects them', async () => {
    there = [disk('sda'), disk('loop1', { type: 'loop' }), disk('loop2', { type: 'loop' })];
    const selecting = {
      name: 'p',
      backend: 'lvm',
      applies: true,
      devices: { paths: ['/dev/loop2'] },
    };

    expect((await show()).map(({ path }) => path)).to.deep.equal(['/dev/sda']);
    expect((await show([selecting])).map(({ path }) => path)).to.deep.equal([
      '/dev/sda',
      '/dev/loop2',
    ]);
  });

  it('stays within bounds, and keeps the disks of pools', async () => {
    const name = 'x'.repeat(10_000);
    const many = Array.from({ length: 1_000 }, (_, i) =>
      disk(`sd${i}`, { model: name, links: [name] }),
    );
    there = [...many, disk('nvme999n1')];
    const used: DiskInPool = { id: 'serial-nvme999n1', bytes: none, state: 'used' };

    const shown = await show([], [pool('fast', [used])]);

    expect(shown).to.have.length(256);
    expect(shown.at(-1)).to.deep.include({ path: '/dev/nvme999n1', pool: 'fast' });
    expect(JSON.stringify(shown).length).to.be.below(512 * 1024);
  });

  it('shows mounts in an order that pods do not change', async () => {
    const mounted = (mountPoints: readonly string[]) =>
      disk('sda', { content: { ...disk('sda').content, mountPoints } });
    there = [mounted(['/var/lib/kubelet/pods/1/volumes', '/', '/data'])];
    const [before] = await show();
    there = [mounted(['/', '/data', '/var/lib/kubelet/pods/1/volumes'])];

    expect((await show())[0]).to.deep.equal(before);
    expect(before?.mountPoints.slice(0, 2)).to.deep.equal(['/', '/data']);
  });
});
