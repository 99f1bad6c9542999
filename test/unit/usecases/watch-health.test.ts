import { expect } from 'chai';
import type { Finding } from '../../../src/model/health.ts';
import type { BlockDevice, DeviceChain } from '../../../src/usecases/health-ports.ts';
import { HealthWatch } from '../../../src/usecases/watch-health.ts';

const disk = (name: string): BlockDevice => ({
  ...{ name, number: name, identity: `${name} 1`, below: [], isDisk: true },
});
const on = (name: string, below: readonly string[], copies?: readonly string[][]): BlockDevice => ({
  ...disk(name),
  below,
  copies,
  isDisk: false,
});

describe('the watch over devices', () => {
  let chains: Record<string, DeviceChain>;
  let found: readonly Finding[];
  let hints: string[];
  let watch: HealthWatch;

  beforeEach(() => {
    found = [];
    hints = [];
    chains = {
      '/pool': { devices: [on('dm-1', ['sda']), disk('sda')], tops: ['dm-1'], isCut: false },
      '/volume': {
        devices: [on('dm-2', ['dm-1', 'sdb'], [['dm-1'], ['sdb']]), disk('sdb')],
        tops: ['dm-2'],
        isCut: false,
      },
      '/other': { devices: [disk('sdc')], tops: ['sdc'], isCut: false },
      '/cut': { devices: [disk('loop0')], tops: ['loop0'], isCut: true },
    };
    const none: DeviceChain = { devices: [], tops: [], isCut: true };
    watch = new HealthWatch({
      chains: { below: (path) => Promise.resolve(chains[path] ?? none) },
      readers: [() => Promise.resolve(found)],
      probes: [
        (_devices, { hinted }) => {
          hints = [...hinted].sort();
          return [];
        },
      ],
      now: () => 0,
      quietMs: 1_000,
    });
  });

  const look = () =>
    watch.look({
      pools: [{ pool: 'fast', paths: ['/pool', '/other'] }],
      volumes: [
        { name: 'mirror', pool: 'fast', path: '/volume' },
        { name: 'image', pool: 'fast', path: '/cut' },
      ],
    });

  it('finds a pool failing by any of its disks, and a mirror suspect by one copy', async () => {
    found = [{ device: 'sda', reason: 'WriteErrors', message: 'sda is bad' }];
    const { pools, volumes, devices, troubles } = await look();
    expect(pools.get('fast')?.state).to.equal('failing');
    expect(volumes.get('mirror')?.state).to.equal('suspect');
    expect(devices).to.have.lengthOf(1);
    expect(devices[0]?.pools).to.deep.equal(['fast']);
    expect(troubles).to.deep.equal([{ device: 'sda', reason: 'WriteErrors', state: 'failing' }]);
  });

  it('counts the disks of the pool for a volume whose way down cannot be seen', async () => {
    found = [{ device: 'sdc', reason: 'WriteErrors', message: 'sdc is bad' }];
    expect((await look()).volumes.get('image')?.state).to.equal('failing');
  });

  it('hints at what shares a way down with something new, once', async () => {
    await look();
    expect(hints).to.deep.equal([]);
    found = [{ device: 'dm-2', reason: 'WriteErrors', message: 'dm-2 is bad' }];
    await look();
    expect(hints).to.deep.equal(['dm-2', 'sdb']);
    await look();
    expect(hints).to.deep.equal([]);
  });

  it('hints at all when a disk is gone', async () => {
    await look();
    chains['/other'] = { devices: [], tops: [], isCut: true };
    await look();
    expect(hints).to.deep.equal(['dm-1', 'dm-2', 'loop0', 'sda', 'sdb']);
    await look();
    expect(hints).to.deep.equal([]);
  });
});
