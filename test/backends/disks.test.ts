import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, open, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { expect } from 'chai';
import { DiskOwners } from '../../src/backends/shared/disk-owners.ts';
import { poolDisks } from '../../src/backends/shared/pool-disks.ts';
import type { PoolDisks } from '../../src/backends/backend.ts';
import { MiB } from '../../src/model/bytes.ts';
import type { Disk } from '../../src/model/disk.ts';
import { listDisks, lookAtDisk } from '../../src/platform/block-devices.ts';
import { entryOfDevice } from '../../src/platform/device-entries.ts';
import { rememberedDisks, type RememberedDisks } from '../../src/platform/remembered-disks.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import { watchFolder } from '../../src/platform/watch-folder.ts';
import { oneAtATime } from '../../src/usecases/one-at-a-time.ts';
import { waitFor } from '../cluster/wait.ts';
import { detach } from '../support/loop-disks.ts';
import { needLoopDevices } from '../support/loop-pool.ts';
import { rejection } from '../support/rejection.ts';

describe('the disks of a node, on real devices', function () {
  this.timeout(30_000);
  let root: string;
  let device: string;
  let mounted: string | undefined;
  const { signal } = new AbortController();
  const list = listDisks(runCommand);
  const run = (program: string, ...args: readonly string[]) => runCommand(program, args);

  async function attach(mebibytes: number, ...flags: readonly string[]): Promise<string> {
    const file = join(root, `disk-${mebibytes}`);
    await run('truncate', '-s', `${mebibytes}M`, file);
    return (await run('losetup', '--find', '--show', ...flags, file)).trim();
  }

  async function found(path = device): Promise<Disk> {
    const disk = (await list()).find((one) => one.path === path);
    if (disk === undefined) {
      throw new Error(`${path} is not listed`);
    }
    return disk;
  }

  async function checksum(): Promise<string> {
    const hash = createHash('sha256');
    await pipeline(createReadStream(device), hash);
    return hash.digest('hex');
  }

  /** A pool of the node that selects `device`. */
  function pools(...names: readonly string[]): readonly PoolDisks[] {
    const shared = {
      ...{
        disks: { now: list, present: list },
        lookAt: lookAtDisk(runCommand),
        owners: new DiskOwners(() => true),
        takeInTurn: oneAtATime(),
      },
      offeredAs: (path: string) => entryOfDevice(path, [join(root, 'found')]),
    };
    return names.map((name) => poolDisks(name, { paths: [device] }, shared));
  }

  function poolOf(name: string): PoolDisks {
    const [pool] = pools(name);
    if (pool === undefined) {
      throw new Error('no pool');
    }
    return pool;
  }

  async function mark(path: string): Promise<void> {
    const handle = await open(path, 'r+');
    await handle.write('marked');
    await handle.sync();
    await handle.close();
  }

  before(function () {
    needLoopDevices(this);
  });

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'berth-disks-'));
    device = await attach(8);
  });

  afterEach(async () => {
    if (mounted !== undefined) {
      await run('umount', mounted);
      mounted = undefined;
    }
    await run('blockdev', '--setrw', device);
    await run('losetup', '--detach', device);
    await rm(root, { recursive: true, force: true });
  });

  it('lists what is there, by path where a disk has no name of its own', async () => {
    const disk = await found();

    expect(disk).to.deep.include({
      ...{ id: `path-${device}`, hasStableId: false, type: 'loop', bytes: 8 * MiB },
      content: { partitions: [], holders: [], mountPoints: [] },
    });
  });

  it('gives a blank disk to exactly one of many pools, and tells the others whose it is', async () => {
    const disk = await found();
    const all = pools(...Array.from({ length: 8 }, (_, i) => `pool-${i}`));
    const marks: string[] = [];

    const results = await Promise.allSettled(
      all.map((one, i) =>
        one.take(
          disk,
          async (path) => {
            marks.push(`pool-${i}`);
            await mark(path);
          },
          signal,
        ),
      ),
    );

    expect(marks).to.have.length(1);
    const refused = results.flatMap((one) =>
      one.status === 'rejected' ? [(one.reason as Error).message] : [],
    );
    expect(refused).to.have.length(7);
    refused.forEach((text) => expect(text).to.contain(`it belongs to pool ${marks[0] ?? ''}`));
    const others = await Promise.all(all.map((one) => one.list(signal)));
    const owners = others.map((disks) => disks.find((one) => one.disk.path === device)?.takenBy);
    expect(owners.filter((one) => one !== undefined)).to.have.length(7);
  });

  it('leaves a blank disk alone that is offered whole', async () => {
    const disk = await found();
    await mkdir(join(root, 'found'));
    await symlink('/nonexistent', join(root, 'found', 'away'));
    await symlink(device, join(root, 'found', 'raw'));
    const before = await checksum();

    const error = await rejection(poolOf('fast').take(disk, mark, signal));

    expect(error.message).to.contain(`it is offered whole as ${join(root, 'found', 'raw')}`);
    expect(await checksum()).to.equal(before);
    await rm(join(root, 'found', 'raw'));
    await poolOf('fast').take(disk, mark, signal);
    expect(await checksum()).not.to.equal(before);
  });

  const occupied: [string, () => Promise<unknown>, string][] = [
    ['a filesystem', () => run('mkfs.ext4', '-q', device), 'it holds ext4'],
    ['a swap area', () => run('mkswap', device), 'it holds swap'],
    [
      'an empty partition table',
      () => runCommand('sh', ['-c', `echo 'label: gpt' | sfdisk -q ${device}`]),
      'it has a partition table (gpt)',
    ],
    ['data of an unknown kind at its start', () => mark(device), 'it has data at byte 0'],
    [
      'data of an unknown kind at its end',
      async () => {
        const handle = await open(device, 'r+');
        await handle.write('x', 8 * MiB - 1);
        await handle.close();
      },
      `it has data at byte ${8 * MiB - 1}`,
    ],
    ['no right to write', () => run('blockdev', '--setro', device), 'it is read-only'],
    [
      'a mounted filesystem',
      async () => {
        await run('mkfs.ext4', '-q', device);
        mounted = join(root, 'mount');
        await run('mkdir', mounted);
        // The kernel writes to one that can be written whenever it likes.
        await run('mount', '-o', 'ro', device, mounted);
      },
      'it is mounted at',
    ],
  ];
  for (const [what, occupy, why] of occupied) {
    it(`leaves a disk with ${what} as it is`, async () => {
      const pool = poolOf('fast');
      const before = await found();
      await occupy();
      const content = await checksum();

      const error = await rejection(pool.take(before, mark, signal));

      expect(String(error)).to.contain(why);
      expect(await checksum()).to.equal(content);
      // It would stay so for whoever gets this number next.
      await run('blockdev', '--setrw', device);
    });
  }

  it('does not take another disk that has the path now', async () => {
    const pool = poolOf('fast');
    const before = { ...(await found()), id: 'wwn-0x5000c500a1b2c3d4' };

    const error = await rejection(pool.take(before, mark, signal));

    expect(String(error)).to.contain('it is no longer there');
  });

  describe('are remembered', () => {
    const minute = 60_000;
    let time: number;
    let looks: number;
    let disks: RememberedDisks;

    beforeEach(async () => {
      time = 0;
      looks = 0;
      const counting = async () => {
        looks += 1;
        return list();
      };
      disks = rememberedDisks(
        counting,
        (kname) => kname === basename(device),
        () => time,
      );
      await disks.now();
    });

    const deviceIn = (found: readonly Disk[]) => found.find(({ path }) => path === device);

    it('until something has changed', async () => {
      await disks.known();
      await disks.known();
      expect(looks).to.equal(1);
      expect(await disks.isOutdated()).to.equal(false);

      await run('truncate', '-s', '16M', join(root, 'disk-8'));
      await run('losetup', '--set-capacity', device);
      expect(deviceIn(await disks.known())?.bytes).to.equal(16 * MiB);
      expect(looks).to.equal(2);

      await run('mkfs.ext4', '-q', device);
      disks.forget();
      expect(await disks.isOutdated()).to.equal(true);
      expect(deviceIn(await disks.known())?.content.signature).to.equal('ext4');
      expect(looks).to.equal(3);
    });

    it('as present while only what is on them changes, for at most a minute', async () => {
      await run('addpart', device, '1', '2048', '4096');
      await run('mkfs.ext4', '-q', `${device}p1`);
      disks.forget();
      time = minute - 1;
      await disks.present();
      expect(looks).to.equal(1);

      time = minute;
      expect(deviceIn(await disks.present())?.content.partitions).to.have.length(1);
      expect(looks).to.equal(2);
      await run('delpart', device, '1');
    });

    it('as present until one grows', async () => {
      await run('truncate', '-s', '16M', join(root, 'disk-8'));
      await run('losetup', '--set-capacity', device);

      expect(deviceIn(await disks.present())?.bytes).to.equal(16 * MiB);
    });

    it('until another one of the same size has the name', async () => {
      const before = await disks.version();
      await run('truncate', '-s', '8M', join(root, 'other'));
      await run('mkfs.ext4', '-q', join(root, 'other'));
      await detach(device);
      try {
        await run('losetup', device, join(root, 'other'));
      } catch (error) {
        // Somebody else has the number now: his is not ours to detach.
        device = await attach(8);
        throw error;
      }

      expect(await disks.version()).not.to.equal(before);
      expect(await disks.isOutdated()).to.equal(true);
      expect(deviceIn(await disks.present())?.content.signature).to.equal('ext4');
    });
  });

  it('hears of device nodes that the kernel makes and removes', async () => {
    const end = new AbortController();
    const log = { info: () => {}, warn: () => {}, error: () => {} };
    const node = `${basename(device)}p1`;
    const isNews = (name: string): boolean => name === node;
    let news = 0;
    const folder = { path: '/dev', isNews, onNews: () => (news += 1) };
    const watching = watchFolder(folder, log, end.signal);
    const soon = { timeoutMs: 5_000, intervalMs: 20 };
    try {
      await run('addpart', device, '1', '2048', '4096');
      await waitFor('the node of a partition to be heard of', () => news >= 1, soon);
      const { partitions } = (await found()).content;
      const heard = news;
      await run('delpart', device, '1');
      await waitFor('the end of the node to be heard of', () => news > heard, soon);

      expect(partitions).to.deep.equal([{ path: `${device}p1`, bytes: 2 * MiB }]);
      expect((await found()).content.partitions).to.deep.equal([]);
    } finally {
      end.abort();
      await watching;
    }
  });
});
