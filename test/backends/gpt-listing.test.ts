import { expect } from 'chai';
import { createHash } from 'node:crypto';
import { open as openFile, readFile } from 'node:fs/promises';
import type { DeclaredPool } from '../../src/backends/index.ts';
import { MiB } from '../../src/model/bytes.ts';
import type { Disk } from '../../src/model/disk.ts';
import { NoSpaceError, PermanentError } from '../../src/model/errors.ts';
import { listDisks } from '../../src/platform/block-devices.ts';
import { runCommand, type RunCommand } from '../../src/platform/run-command.ts';
import { oneAtATime, type InTurn } from '../../src/usecases/one-at-a-time.ts';
import { ForeignVolumeError, type StorageBackend } from '../../src/usecases/ports.ts';
import { waitFor } from '../cluster/wait.ts';
import { gptGround, type GptGround } from '../support/gpt-pool.ts';
import { sized, volumeNamed } from '../support/identities.ts';
import { scribble } from '../support/loop-disks.ts';
import { needLoopDevices } from '../support/loop-pool.ts';
import { openedAsByAgent } from '../support/opened-pool.ts';
import { rejection } from '../support/rejection.ts';

const { signal } = new AbortController();
const one = sized('1', 4);
const two = sized('2', 4);

describe('the programs that volumes in partitions need', () => {
  let ground: GptGround;
  let programs: string[];

  before(function () {
    needLoopDevices(this);
  });
  beforeEach(() => {
    programs = [];
  });
  afterEach(() => ground.cleanUp());

  const run: RunCommand = (program, ...rest) => {
    programs.push(program);
    return runCommand(program, ...rest);
  };
  const during = async (work: () => Promise<unknown>): Promise<readonly string[]> => {
    programs = [];
    await work();
    return programs;
  };

  /** What the agent does with a new volume, and what it reports afterwards. */
  async function make(pool: StorageBackend, volume = one): Promise<void> {
    await pool.ensure(volume, signal);
    await pool.attach(volume, signal);
    await pool.usage(signal);
    await pool.list(signal);
  }

  async function remove(pool: StorageBackend): Promise<void> {
    await pool.remove(one, 'discard', signal);
    await pool.usage(signal);
    await pool.list(signal);
  }

  async function opened(
    backend: 'partition' | 'device',
    limits: Partial<DeclaredPool['limits']> = {},
  ): Promise<StorageBackend> {
    ground = await gptGround(backend, [34, 34]);
    const plan = ground.plan();
    const withLimits = { ...plan, limits: { ...plan.limits, ...limits } };
    const pool = openedAsByAgent(withLimits, ground.runDir, run);
    await pool.usage(signal);
    return pool;
  }

  for (const backend of ['partition', 'device'] as const) {
    it(`are those that change something, and one look at a table that was changed (${backend})`, async () => {
      const pool = await opened(backend);
      for (let round = 0; round < 2; round += 1) {
        expect(await during(() => make(pool))).to.deep.equal(['sfdisk', 'sfdisk', 'addpart']);
        expect(await during(() => make(pool)), 'again').to.deep.equal([]);
        expect(await during(() => remove(pool))).to.deep.equal([
          ...['delpart', 'addpart', 'blkdiscard', 'blkdiscard', 'delpart', 'sfdisk', 'sfdisk'],
        ]);
      }
    });
  }

  it('are no more in a pool with limits', async () => {
    const pool = await opened('partition', { maxVolumes: 5 });

    expect(await during(() => make(pool))).to.deep.equal(['sfdisk', 'sfdisk', 'addpart']);
  });

  it('are no more while a disk is selected that cannot be taken', async () => {
    ground = await gptGround('partition', [34, 34]);
    const [, occupied = ''] = ground.paths();
    await scribble(occupied, 0, 1);
    const pool = openedAsByAgent(ground.plan(), ground.runDir, run);
    const { disks } = await pool.usage(signal);
    expect(disks?.find(({ path }) => path === occupied)?.message).to.include('it has data');

    expect(await during(() => make(pool))).to.deep.equal(['sfdisk', 'sfdisk', 'addpart']);
    const again = (await pool.usage(signal)).disks;
    expect(again?.find(({ path }) => path === occupied)?.message).to.include('it has data');
  });

  it('are shared by volumes of a disk that are asked for at once', async () => {
    const pool = await opened('partition');
    const all = Array.from({ length: 8 }, (_, n) => sized(`at once ${n}`, 1));
    const shared = await during(() => Promise.all(all.map((each) => pool.ensure(each, signal))));

    expect(shared).to.deep.equal(['sfdisk', 'sfdisk']);
    const { volumes } = await pool.list(signal);
    expect(volumes.map(({ name }) => name)).to.have.members(all.map(({ name }) => name));
  });

  it('list the disks before it is said that there is no room, or no volume', async () => {
    const pool = await opened('partition');
    const failed = await during(() => rejection(pool.ensure(sized('big', 99), signal)));
    expect(failed).to.include('lsblk');

    expect(await during(() => pool.find(one, signal))).to.include('lsblk');
    expect(await during(() => pool.remove(one, 'discard', signal))).to.include('lsblk');
  });
});

describe('volumes in partitions that are asked for at once', () => {
  let ground: GptGround;
  let disk: string;

  before(function () {
    needLoopDevices(this);
  });
  beforeEach(async () => {
    ground = await gptGround('partition', [34]);
    disk = ground.paths()[0] ?? '';
    await ground.open().usage(signal);
  });
  afterEach(() => ground.cleanUp());

  const all = Array.from({ length: 4 }, (_, n) => sized(`at once ${n}`, 2));
  const regions = async () => {
    const text = await runCommand('sfdisk', ['--json', disk]);
    const { partitiontable } = JSON.parse(text) as {
      partitiontable: { partitions: { start: number; size: number }[] };
    };
    return partitiontable.partitions.map(({ start, size }) => [start, start + size] as const);
  };

  it('have a place of their own each', async () => {
    const pool = ground.open();
    await Promise.all(all.map((each) => pool.ensure(each, signal)));
    const taken = (await regions()).toSorted(([a], [b]) => a - b);

    expect(taken).to.have.length(5);
    taken.slice(1).forEach(([start], index) => {
      expect(start).to.be.at.least(taken[index]?.[1] ?? Infinity);
    });
  });

  it('do not fail with one that cannot be made, and none is made twice', async () => {
    const pool = ground.open();
    const namesake = { ...one, volumeUid: two.volumeUid };
    const asked = [one, sized('big', 99), { ...two, name: 'pvc-1' }, one, namesake, two];
    const results = await Promise.allSettled(asked.map((each) => pool.ensure(each, signal)));

    expect(results.map(({ status }) => status)).to.deep.equal([
      ...['fulfilled', 'rejected', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
    ]);
    const errors = results.flatMap((each) =>
      each.status === 'rejected' ? [each.reason as unknown] : [],
    );
    expect(errors[0]).to.be.instanceOf(NoSpaceError);
    expect(errors[1]).to.be.instanceOf(PermanentError);
    expect(errors[2]).to.be.instanceOf(ForeignVolumeError);
    expect(await regions()).to.have.length(3);
  });

  it('get what is left, and the others hear that it is not enough', async () => {
    const pool = ground.open();
    const large = Array.from({ length: 3 }, (_, n) => sized(`large ${n}`, 12));
    const results = await Promise.allSettled(large.map((each) => pool.ensure(each, signal)));

    expect(results.filter(({ status }) => status === 'fulfilled')).to.have.length(2);
    expect((await pool.usage(signal)).free).to.equal(8 * MiB);
  });

  it('do not fail with one whose place somebody still has open', async () => {
    const pool = ground.open();
    const old = [9, (1 * MiB) / 512, (2 * MiB) / 512].map(String);
    await runCommand('addpart', [disk, ...old]);
    const handle = await openFile(`${disk}p9`, 'r');
    const results = await Promise.allSettled(all.map((each) => pool.ensure(each, signal)));
    await handle.close();

    const failed = results.flatMap((each) =>
      each.status === 'rejected' ? [String(each.reason)] : [],
    );
    expect(failed).to.have.length(1);
    expect(failed[0]).to.include(`${disk}p9 is still open`);
    await Promise.all(all.map((each) => pool.ensure(each, signal)));
    expect((await pool.list(signal)).volumes).to.have.length(4);
  });

  for (const isAfter of [false, true]) {
    it(`are all there after a kill ${isAfter ? 'behind' : 'before'} the write, or none is`, async () => {
      let isDead = false;
      const run: RunCommand = async (program, args, ...rest) => {
        const isWrite = args.includes('--append');
        if (isAfter && isWrite) {
          await runCommand(program, args, ...rest);
        }
        isDead ||= isWrite;
        if (isDead) {
          throw new Error('killed');
        }
        return runCommand(program, args, ...rest);
      };
      const dying = ground.open({ run });
      const results = await Promise.allSettled(all.map((each) => dying.ensure(each, signal)));
      expect(results.every(({ status }) => status === 'rejected')).to.equal(true);

      const pool = ground.open();
      expect((await pool.list(signal)).volumes).to.have.length(isAfter ? 4 : 0);
      await Promise.all(all.map((each) => pool.ensure(each, signal)));
      expect((await pool.list(signal)).volumes).to.have.length(4);
    });
  }
});

describe('what is remembered of the disks of a pool of partitions', () => {
  let ground: GptGround;
  let disk: string;

  before(function () {
    needLoopDevices(this);
  });
  beforeEach(async () => {
    ground = await gptGround('partition', [34]);
    disk = ground.paths()[0] ?? '';
  });
  afterEach(() => ground.cleanUp());

  const checksum = async (path = disk): Promise<string> =>
    createHash('sha256')
      .update(await ground.disks.content(path))
      .digest('hex');
  const sumOfFile = async (file: string): Promise<string> =>
    createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
  const listed = async (): Promise<readonly Disk[]> => listDisks(runCommand)();

  describe('does not count for a disk that has the name of another one', () => {
    let pool: StorageBackend;
    let first: string;
    let other: string;

    beforeEach(async () => {
      pool = ground.open();
      await pool.ensure(one, signal);
      first = ground.disks.fileOf(disk);
      other = await ground.disks.addFile(34);
    });

    it('which is blank: it is taken, and the first keeps what it has', async () => {
      await ground.disks.swap(disk, other);
      const before = await sumOfFile(first);

      expect(await pool.find(one, signal)).to.equal(undefined);
      await pool.ensure(two, signal);
      expect((await pool.list(signal)).volumes.map(({ name }) => name)).to.deep.equal([two.name]);
      expect(await sumOfFile(first)).to.equal(before);
      await ground.disks.swap(disk, first);
      expect((await pool.list(signal)).volumes.map(({ name }) => name)).to.deep.equal([one.name]);
    });

    const contents: [string, (file: string) => Promise<unknown>][] = [
      ['a filesystem', (file) => runCommand('mkfs.ext4', ['-q', '-F', file])],
      [
        'a table of somebody else',
        (file) =>
          runCommand('sfdisk', ['-q', file], undefined, 'label: gpt\nstart=2048, size=8192\n'),
      ],
      ['data of an unknown kind', (file) => scribble(file, 0, 34)],
    ];
    for (const [what, write] of contents) {
      it(`which holds ${what}: nothing is written to it`, async () => {
        await write(other);
        const before = await sumOfFile(other);
        await ground.disks.swap(disk, other);

        await rejection(pool.ensure(one, signal));
        await rejection(pool.ensure(two, signal));
        await rejection(pool.attach(one, signal));
        await pool.remove(one, 'zero', signal).catch(() => undefined);
        expect((await pool.usage(signal)).total).to.equal(0);
        expect(await checksum()).to.equal(before);
      });
    }

    it('which belongs to another pool: nothing is written to it', async () => {
      await ground.disks.swap(disk, other);
      await ground.open({ pool: 'slow' }).ensure(two, signal);
      const before = await checksum();

      await rejection(pool.ensure(one, signal));
      expect(await pool.find(two, signal)).to.equal(undefined);
      expect(await checksum()).to.equal(before);
    });
  });

  it('does not count for a disk that was replaced while its turn was waited for', async () => {
    let waiting = 0;
    const row = oneAtATime();
    const inTurn: InTurn = (work) => {
      waiting += 1;
      return row(work);
    };
    const pool = ground.open({ inTurn });
    await pool.ensure(one, signal);
    const other = await ground.disks.addFile(34);
    await scribble(other, 0, 34);
    const before = await sumOfFile(other);
    let goOn = (): void => {};
    const blocker = row(() => new Promise<void>((resolve) => (goOn = resolve)));
    waiting = 0;
    const acts = [rejection(pool.attach(one, signal)), rejection(pool.remove(one, 'zero', signal))];
    await waitFor('both to have looked', () => waiting === 2, { timeoutMs: 10_000, intervalMs: 5 });
    await ground.disks.swap(disk, other);
    goOn();
    await blocker;

    const errors = await Promise.all(acts);
    errors.forEach(({ message }) => expect(message).to.include(disk));
    expect(await checksum()).to.equal(before);
  });

  it('does not count when the disk is gone, and the volume is there when it is back', async () => {
    const pool = ground.open();
    await pool.ensure(one, signal);
    const unplugged = await ground.disks.unplug(disk);

    expect(await pool.find(one, signal)).to.equal(undefined);
    await rejection(pool.attach(one, signal));
    const back = await unplugged.plugIn();
    expect(await ground.open({ paths: [back] }).find(one, signal)).to.include(volumeNamed('1'));
  });

  describe('however old it is', () => {
    const remembered = async () => ground.open({ remembered: await listed() });

    it('does not make a disk blank that has got something on it', async () => {
      const pool = await remembered();
      await runCommand('mkfs.ext4', ['-q', disk]);
      const before = await checksum();

      const error = await rejection(pool.ensure(one, signal));
      expect(error).to.be.instanceOf(NoSpaceError);
      const [refused] = (await pool.usage(signal)).disks ?? [];
      expect(refused?.state).to.equal('refused');
      expect(await checksum()).to.equal(before);
    });

    it('does not keep a disk from being taken that was wiped since', async () => {
      await runCommand('mkfs.ext4', ['-q', disk]);
      const pool = await remembered();
      await runCommand('blkdiscard', ['--zeroout', disk]);

      expect(await pool.ensure(one, signal)).to.include(volumeNamed('1'));
    });

    it('does not hide volumes, nor what somebody else has put into the table', async () => {
      const pool = await remembered();
      await pool.ensure(one, signal);
      const entry = `start=${(8 * MiB) / 512}, size=${(20 * MiB) / 512}\n`;
      await runCommand('sfdisk', ['-q', '--append', disk], undefined, entry);

      expect(await pool.find(one, signal)).to.include(volumeNamed('1'));
      expect((await pool.usage(signal)).largest).to.equal(5 * MiB);
    });

    it('does not hide a disk that has come', async () => {
      const before = await listed();
      const paths = [disk, await ground.disks.add(66)];
      const pool = ground.open({ paths, remembered: before });

      expect(await pool.ensure(sized('big', 60), signal)).to.include(volumeNamed('big'));
    });
  });
});
