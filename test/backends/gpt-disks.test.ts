import { expect } from 'chai';
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { bytes, MiB } from '../../src/model/bytes.ts';
import { runCommand, type RunCommand } from '../../src/platform/run-command.ts';
import type { DiskInPool, StorageBackend } from '../../src/usecases/ports.ts';
import { gptGround, type GptGround } from '../support/gpt-pool.ts';
import { sized, volumeNamed } from '../support/identities.ts';
import { scribble } from '../support/loop-disks.ts';
import { needLoopDevices } from '../support/loop-pool.ts';
import { rejection } from '../support/rejection.ts';

describe('the disks of a pool of partitions', () => {
  const { signal } = new AbortController();
  const one = sized('1', 4);
  const two = sized('2', 4);
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

  const ownDisks = async (backend: StorageBackend): Promise<readonly DiskInPool[]> => {
    const { disks = [] } = await backend.usage(signal);
    return disks;
  };

  const sfdisk = (input: string) => runCommand('sfdisk', ['--quiet', disk], undefined, input);
  const isBlank = async () => (await ground.disks.content(disk)).every((byte) => byte === 0);

  it('are taken when they are blank, and known again by what stands on them', async () => {
    expect(await ownDisks(ground.open())).to.deep.include.members([
      { id: `path-${disk}`, path: disk, bytes: 34 * MiB, state: 'used' },
    ]);
    await ground.open().ensure(one, signal);
    await ground.reboot();

    expect((await ground.open().list(signal)).volumes).to.have.length(1);
  });

  it('are left alone when they belong to another pool, which is named', async () => {
    await ground.open().ensure(one, signal);
    const other = ground.open({ pool: 'slow' });
    const [refused] = await ownDisks(other);

    expect(refused).to.include({ path: disk, state: 'refused' });
    expect(refused?.message).to.include('belongs to pool fast');
    expect((await other.usage(signal)).total).to.equal(0);
    expect(await other.list(signal)).to.deep.equal({ volumes: [], strays: [] });
    expect((await ground.open().list(signal)).volumes).to.have.length(1);
  });

  it('become only one pool when two ask for them at once', async () => {
    const fast = ground.open();
    const slow = ground.open({ pool: 'slow' });
    const totals = await Promise.all(
      [fast, slow].map(async (pool) => (await pool.usage(signal)).total),
    );

    expect(totals.toSorted()).to.deep.equal([0, 32 * MiB]);
  });

  describe('are left alone, byte by byte, with a reason, when they hold', () => {
    const cases: [string, () => Promise<unknown>][] = [
      ['a filesystem', () => runCommand('mkfs.ext4', ['-q', disk])],
      ['a GPT without partitions', () => sfdisk('label: gpt\n')],
      ['a partition of somebody else', () => sfdisk('label: gpt\nstart=2048, size=2048\n')],
      ['an old partition table', () => sfdisk('label: dos\nstart=2048, size=2048\n')],
      ['data of an unknown kind', () => scribble(disk, 0, 1)],
    ];
    for (const [what, arrange] of cases) {
      it(what, async () => {
        await arrange();
        const before = await checksum();
        const backend = ground.open();
        const [refused] = await ownDisks(backend);
        await rejection(backend.ensure(one, signal));

        expect(refused).to.include({ state: 'refused' });
        expect(refused?.message).to.match(/\S+/);
        expect(await checksum()).to.equal(before);
      });
    }
  });

  const checksum = async (from = 0, to = Infinity): Promise<string> =>
    createHash('sha256')
      .update((await ground.disks.content(disk)).subarray(from, to))
      .digest('hex');

  it('give no room that a partition of somebody else has, and keep what is in it', async () => {
    const backend = ground.open();
    await backend.usage(signal);
    const entry = `start=${(8 * MiB) / 512 + 8}, size=${(8 * MiB) / 512}\n`;
    await runCommand('sfdisk', ['--quiet', '--append', disk], undefined, entry);
    await scribble(disk, 8 * MiB + 4096, 8);
    const before = await checksum(8 * MiB + 4096, 16 * MiB + 4096);
    const { total, largest } = await backend.usage(signal);
    expect([total, largest]).to.deep.equal([23 * MiB, 16 * MiB]);

    await backend.ensure({ ...one, bytes: bytes(7 * MiB) }, signal);
    await backend.ensure({ ...two, bytes: bytes(16 * MiB) }, signal);
    await backend.attach(one, signal);
    await backend.remove(one, 'zero', signal);
    await backend.remove(two, 'discard', signal);
    expect(await checksum(8 * MiB + 4096, 16 * MiB + 4096)).to.equal(before);
    expect((await backend.list(signal)).strays).to.deep.equal([]);
  });

  describe('that are no longer selected', () => {
    const unselected = () => ground.open({ paths: ['/dev/none'], asRealDisks: true });

    it('keep their volumes and get no more of them, and are blank again after the last', async () => {
      await ground.open().ensure(one, signal);
      const backend = unselected();

      expect(await ownDisks(backend)).to.deep.include.members([
        { id: `path-${disk}`, path: disk, bytes: 34 * MiB, state: 'leaving' },
      ]);
      expect(await backend.ensure(one, signal)).to.deep.include(volumeNamed('1'));
      expect((await rejection(backend.ensure(two, signal))).message).to.include('more');
      await backend.attach(one, signal);
      await backend.remove(one, 'discard', signal);
      expect(await ownDisks(backend)).to.deep.equal([]);
      expect(await isBlank()).to.equal(true);
      expect((await ground.open({ pool: 'slow' }).usage(signal)).total).to.equal(32 * MiB);
    });

    it('are not believed what stands on them where they are loop devices: many are volumes', async () => {
      await ground.open().ensure(one, signal);
      const backend = ground.open({ paths: ['/dev/none'] });

      expect(await backend.list(signal)).to.deep.equal({ volumes: [], strays: [] });
    });
  });

  describe('whose taking or leaving was cut off', () => {
    /** Fails with the nth program that changes something, before or after it has run. */
    const cutOff = (isAfter: boolean): RunCommand => {
      return async (program, args, ...rest) => {
        const isWrite = program === 'sfdisk' && !args.includes('--json');
        if (!isWrite || isAfter) {
          const said = await runCommand(program, args, ...rest);
          if (!isWrite) {
            return said;
          }
        }
        throw new Error('cut off');
      };
    };

    for (const isAfter of [false, true]) {
      it(`are taken by the next start (${isAfter ? 'after' : 'before'} the table)`, async () => {
        const [refused] = await ownDisks(ground.open({ run: cutOff(isAfter) }));
        expect(refused?.message).to.include('cut off');

        const [other] = await ownDisks(ground.open({ pool: 'slow' }));
        expect(other?.message).to.include('belongs to pool fast');
        expect((await ownDisks(ground.open()))[0]).to.include({ state: 'used' });
        await ground.open().ensure(one, signal);
      });

      it(`are given back by the next start that does not select them (${isAfter})`, async () => {
        await ownDisks(ground.open({ run: cutOff(isAfter) }));
        await ownDisks(ground.open({ paths: ['/dev/none'], asRealDisks: true }));

        expect(await isBlank()).to.equal(true);
      });
    }

    it('are left alone when something else came onto them since', async () => {
      await ownDisks(ground.open({ run: cutOff(false) }));
      await sfdisk('label: gpt\nstart=2048, size=2048\n');
      const before = await checksum();
      const [refused] = await ownDisks(ground.open());

      expect(refused?.message).to.include('something else');
      expect(await checksum()).to.equal(before);
    });
  });

  describe('whose table is damaged', () => {
    const wipe = async (...places: number[]) => {
      const handle = await open(disk, 'r+');
      for (const at of places) {
        await handle.write(Buffer.alloc(4096, 'x'), 0, 4096, at);
      }
      await handle.sync();
      await handle.close();
    };

    it('in one place are read from the other, and repaired by the next change', async () => {
      const backend = ground.open();
      await backend.ensure(one, signal);
      await wipe(512);

      expect(await backend.find(one, signal)).to.include(volumeNamed('1'));
      await backend.ensure(two, signal);
      await wipe(34 * MiB - 4096);
      expect((await backend.list(signal)).volumes).to.have.length(2);
    });

    it('in both places are refused with all that is on them, and never empty', async () => {
      const backend = ground.open();
      await backend.ensure(one, signal);
      await wipe(512, 34 * MiB - 4096);
      const before = await checksum();

      expect((await ownDisks(backend))[0]?.message).to.include('cannot be read');
      expect((await rejection(backend.find(one, signal))).message).to.include(disk);
      expect((await rejection(backend.remove(one, 'none', signal))).message).to.include(disk);
      await rejection(backend.ensure(two, signal));
      await ownDisks(ground.open({ paths: ['/dev/none'], asRealDisks: true }));
      expect(await checksum()).to.equal(before);
    });

    it('in the mark are refused as well', async () => {
      const backend = ground.open();
      await backend.ensure(one, signal);
      await wipe(512 * 1024);
      const before = await checksum();

      expect((await ownDisks(backend))[0]?.message).to.include('no mark');
      await rejection(backend.find(one, signal));
      await rejection(backend.ensure(two, signal));
      expect(await checksum()).to.equal(before);
    });
  });

  it('are missing when they are unplugged, and come back with all volumes', async () => {
    const backend = ground.open();
    await backend.ensure(one, signal);
    const unplugged = await ground.disks.unplug(disk);

    expect(await ownDisks(backend)).to.deep.include({
      ...{ id: `path-${disk}`, bytes: 34 * MiB, state: 'missing' },
      message: 'it was there before, and is not any more',
    });
    expect(await backend.find(one, signal)).to.equal(undefined);
    const back = await unplugged.plugIn();
    const again = ground.open({ paths: [back] });
    expect(await again.find(one, signal)).to.include(volumeNamed('1'));
  });

  it('that are copies of each other hold a volume twice, which nobody gets', async () => {
    const backend = ground.open();
    await backend.ensure(one, signal);
    const copy = await ground.disks.add(34);
    await runCommand('dd', [`if=${disk}`, `of=${copy}`, 'bs=1M', 'conv=fsync', 'status=none']);
    const both = ground.open({ paths: [disk, copy] });

    expect((await both.list(signal)).strays).to.have.length(2);
    expect((await rejection(both.attach(one, signal))).message).to.include('the same volume');
    expect((await rejection(both.removeStray(one.name, 'none', signal))).message).to.match(/hand/);
  });
});
