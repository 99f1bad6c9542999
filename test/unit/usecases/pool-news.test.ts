import { expect } from 'chai';
import { bytes, GiB } from '../../../src/model/bytes.ts';
import type { PoolStanding } from '../../../src/usecases/node-ports.ts';
import { PoolNews } from '../../../src/usecases/pool-news.ts';
import type { DiskInPool } from '../../../src/usecases/ports.ts';

describe('PoolNews', () => {
  let told: string[];
  const none = bytes(0);
  const pool: PoolStanding = {
    ...{ name: 'fast', backend: 'lvm', healthy: true },
    ...{ total: none, free: none, largest: none, volumes: 0 },
  };
  const used: DiskInPool = { id: 'a', path: '/dev/sda', bytes: bytes(GiB), state: 'used' };
  const refused: DiskInPool = {
    ...{ id: 'b', path: '/dev/sdb', bytes: bytes(GiB), state: 'refused' },
    message: 'it holds ext4',
  };

  const start = () =>
    new PoolNews({
      node: 'n1',
      events: {
        normal: ({ name }, reason, text) => told.push(`${name} ${reason} ${text}`),
        warning: ({ name }, reason, text) => told.push(`${name} ${reason} ${text}`),
      },
      volumes: { list: () => [] },
      lookAt: () => {},
    });
  let news: PoolNews;

  beforeEach(() => {
    told = [];
    news = start();
  });

  it('names node, disk and cause once, and again only when the cause is another', () => {
    news.tell([{ ...pool, disks: [used, refused] }]);
    news.tell([{ ...pool, disks: [used, refused] }]);

    expect(told).to.deep.equal([
      'fast PoolDiskTaken node n1: /dev/sda (a, 1Gi)',
      'fast PoolDiskRefused node n1: /dev/sdb (b, 1Gi): it holds ext4',
    ]);
    told = [];
    news.tell([{ ...pool, disks: [used, { ...refused, message: 'it holds xfs' }] }]);

    expect(told).to.deep.equal(['fast PoolDiskRefused node n1: /dev/sdb (b, 1Gi): it holds xfs']);
  });

  const changes: [string, readonly DiskInPool[], string[]][] = [
    ['is given up', [], ['PoolDiskLeft']],
    ['is emptied before it goes', [{ ...used, state: 'leaving' }], ['PoolDiskLeaving']],
    ['vanishes', [{ id: 'a', bytes: none, state: 'missing' }], ['PoolDiskMissing']],
    ['has another path after a reboot', [{ ...used, path: '/dev/sdx' }], []],
  ];
  for (const [what, disks, reasons] of changes) {
    it(`tells of a disk that ${what}`, () => {
      news.resume([{ name: 'fast', disks: [used] }]);

      news.tell([{ ...pool, disks }]);

      expect(told.map((text) => text.split(' ')[1])).to.deep.equal(reasons);
    });
  }

  it('tells nothing again that an earlier agent has told', () => {
    news.resume([{ name: 'fast', disks: [used, refused], warnings: ['hot'] }]);

    news.tell([{ ...pool, disks: [used, refused], warnings: ['hot'] }]);

    expect(told).to.deep.equal([]);
  });

  it('does not say that disks have left a pool that cannot be read', () => {
    news.tell([{ ...pool, disks: [used] }]);
    told = [];

    news.tell([{ ...pool, healthy: false, message: 'no answer' }]);
    news.tell([{ ...pool, disks: [used] }]);

    expect(told.map((text) => text.split(' ')[1])).to.deep.equal(['PoolUnusable', 'PoolUsable']);
  });

  it('passes each warning on once', () => {
    news.tell([{ ...pool, warnings: ['hot'] }]);
    news.tell([{ ...pool, warnings: ['hot', 'worn'] }]);

    expect(told).to.deep.equal(['fast PoolWarning node n1: hot', 'fast PoolWarning node n1: worn']);
  });
});
