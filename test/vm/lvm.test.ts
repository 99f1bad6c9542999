import { expect } from 'chai';
import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';

import { bytes, MiB } from '../../src/model/bytes.ts';
import { NoSpaceError } from '../../src/model/errors.ts';
import { whyNotBlank } from '../../src/platform/blank.ts';
import { CommandError, runCommand, type RunCommand } from '../../src/platform/run-command.ts';
import { ForeignVolumeError, PoolUnusableError } from '../../src/usecases/ports.ts';
import { describeBackend } from '../backends/contract.ts';
import { waitFor } from '../cluster/wait.ts';
import { diskBytes } from '../guest/disks.ts';
import { volumeNamed } from '../support/identities.ts';
import { rejection } from '../support/rejection.ts';
import { blankDisk, diskOfGuest } from './ground.ts';
import { lvmGround, type LvmGround } from './lvm-ground.ts';

const { signal } = new AbortController();
const request = (label: string, mebibytes: number) => ({
  ...volumeNamed(label),
  bytes: bytes(mebibytes * MiB),
});
const lvm = (...args: string[]) => runCommand('lvm', args);

/** Runs programs until `dies` says so; from then on it does nothing any more, as after a kill. */
function killedAt(dies: (args: readonly string[]) => boolean): RunCommand {
  let isDead = false;
  return async (program, args, ...rest) => {
    isDead ||= dies(args);
    if (isDead) throw new CommandError('killed', undefined, '');
    return runCommand(program, args, ...rest);
  };
}

describe('the lvm backend', () => {
  let ground: LvmGround;

  describe('in a volume group that is there', () => {
    before(async () => {
      ground = await lvmGround();
      await ground.makeGroup({ 'ssd-a': 64, 'ssd-b': 48, 'ssd-c': 32 });
    });

    afterEach(() => ground.empty());
    after(() => ground.cleanUp());

    const one = request('1', 8);

    it('makes whole volumes or none when it is killed on the way', async () => {
      const killed = killedAt((args) => args.includes('--deltag'));
      await rejection(ground.open({}, { run: killed }).ensure(one, signal));
      expect(await ground.volumes()).to.deep.equal([one.name]);

      const afterwards = ground.open();
      expect(await afterwards.list(signal)).to.deep.equal({ volumes: [], strays: [] });
      expect(await ground.volumes()).to.deep.equal([]);
      await afterwards.ensure(one, signal);
    });

    it('finishes an adoption that was cut off before the name was changed', async () => {
      const two = request('2', 8);
      await ground.open().ensure(one, signal);
      const killed = killedAt((args) => args[0] === 'lvrename');
      await rejection(ground.open({}, { run: killed }).adopt(one, two, signal));

      const { volumes } = await ground.open().list(signal);
      expect(volumes.map(({ name, volumeUid }) => ({ name, volumeUid }))).to.deep.equal([
        volumeNamed('2'),
      ]);
      expect(await ground.volumes()).to.deep.equal([two.name]);
    });

    it('touches nothing that is not its own, and counts its room as gone', async () => {
      await lvm('lvcreate', '-y', '-n', one.name, '-L', '32m', 'guest');
      const backend = ground.open();

      expect(await backend.usage(signal)).to.include({
        total: 112 * MiB,
        allocated: 0,
        free: 112 * MiB,
      });
      for (const call of [
        backend.ensure(one, signal),
        backend.find(one, signal),
        backend.attach(one, signal),
        backend.remove(one, 'zero', signal),
        backend.removeStray(one.name, 'zero', signal),
        backend.adopt(request('2', 8), one, signal),
      ]) {
        expect(await rejection(call)).to.be.instanceOf(ForeignVolumeError);
      }
      expect(await ground.volumes()).to.deep.equal([one.name]);
    });

    it('shows a volume without a uid as a stray, and removes it when asked to', async () => {
      const tags = ['--addtag', 'berth', '--addtag', 'berth-pool=fast'];
      await lvm('lvcreate', '-y', '-n', 'odd', '-L', '4m', ...tags, 'guest');
      const backend = ground.open();

      const { strays } = await backend.list(signal);
      expect(strays).to.have.length(1);
      expect(strays[0]).to.include({ name: 'odd', bytes: 4 * MiB });
      expect(await backend.removeStray('odd', 'none', signal)).to.include('4Mi');
      expect(await ground.volumes()).to.deep.equal([]);
    });

    it('leaves nothing behind when the room goes between looking and making', async () => {
      const racing: RunCommand = async (program, args, ...rest) => {
        if (args[0] === 'lvcreate') {
          await lvm('lvcreate', '-y', '-n', 'rival', '-l', '100%FREE', 'guest');
        }
        return runCommand(program, args, ...rest);
      };
      const error = await rejection(ground.open({}, { run: racing }).ensure(one, signal));

      expect(error).to.be.instanceOf(NoSpaceError);
      expect(await ground.volumes()).to.deep.equal(['rival']);
    });

    it('says which package is missing where LVM is', async () => {
      const without: RunCommand = (program, ...rest) =>
        runCommand(program === 'lvm' ? 'lvm-is-not-here' : program, ...rest);
      const error = await rejection(ground.open({}, { run: without }).usage(signal));

      expect(error).to.be.instanceOf(PoolUnusableError);
      expect(error.message).to.include('lvm2');
    });

    it('refuses a volume group that is not there, or has other extents', async () => {
      const missing = await rejection(ground.open({ volumeGroup: 'none' }).usage(signal));
      const other = await rejection(ground.open({ extentSize: '4Mi' }).usage(signal));

      expect(missing).to.be.instanceOf(PoolUnusableError);
      expect(missing.message).to.include('"none"');
      expect(other).to.be.instanceOf(PoolUnusableError);
      expect(other.message).to.include('lvm.extentSize').and.include('4Mi').and.include('1Mi');
    });

    it('stripes over disks, and knows the largest volume that has room beside itself', async () => {
      const backend = ground.open({ type: 'striped', stripes: 2 });
      const { largest, free } = await backend.usage(signal);
      expect({ largest, free }).to.deep.equal({ largest: 96 * MiB, free: 144 * MiB });

      const tooBig = await rejection(backend.ensure(request('1', 97), signal));
      expect(tooBig).to.be.instanceOf(NoSpaceError);
      await backend.ensure(request('1', 96), signal);
      expect((await backend.usage(signal)).allocated).to.equal(largest);
    });

    it('keeps copies on different disks, and counts what lies beside them', async () => {
      const lvmOptions = { type: 'mirrored', copies: 2 };
      const backend = ground.open(lvmOptions);
      const { largest } = await backend.usage(signal);
      expect(largest).to.equal(96 * MiB);
      expect(ground.plan(lvmOptions).allocatedFor(bytes(47 * MiB))).to.equal(largest);

      await backend.ensure(request('1', 47), signal);
      const { allocated, volumes } = await backend.usage(signal);
      expect(allocated).to.equal(largest);
      expect(volumes).to.deep.equal([volumeNamed('1').name]);
    });

    describe('thin', () => {
      const options = { type: 'thin', thin: { size: '64Mi', overcommit: '2.0' } };

      it('promises more than there is, warns when it fills, and stops promising in time', async () => {
        const backend = ground.open(options);
        await backend.ensure(request('1', 60), signal);
        const before = await backend.usage(signal);
        expect(before).to.include({ total: 128 * MiB, allocated: 60 * MiB, free: 68 * MiB });
        expect(before.thin).to.include({ physical: 64 * MiB, committed: 60 * MiB, overcommit: 2 });
        expect(before.warnings).to.equal(undefined);

        const path = await backend.attach(request('1', 60), signal);
        const fill = (mebibytes: number) =>
          runCommand('dd', [
            'if=/dev/urandom',
            `of=${path}`,
            'bs=1M',
            `count=${mebibytes}`,
            'oflag=direct',
          ]);
        await fill(53);
        const warned = await backend.usage(signal);
        expect(warned.free).to.equal(68 * MiB);
        expect(warned.warnings?.join()).to.include('promised');

        await fill(59);
        const full = await backend.usage(signal);
        expect(full).to.include({ free: 0, largest: 0 });
        expect(full.warnings?.join()).to.include('90%');
        const error = await rejection(backend.ensure(request('2', 1), signal));
        expect(error).to.be.instanceOf(NoSpaceError);
        expect(error.message).to.include('thin pool');
        expect(await backend.find(request('2', 1), signal)).to.equal(undefined);

        await backend.remove(request('1', 60), 'discard', signal);
        expect(await backend.usage(signal)).to.include({ allocated: 0, free: 128 * MiB });
      });

      it('makes its thin pool once, and takes away one that was left half made', async () => {
        const killed = killedAt((args) => args.includes('--deltag'));
        await rejection(ground.open(options, { run: killed }).usage(signal));
        expect(await ground.volumes()).to.have.length(1);

        const backend = ground.open(options);
        await backend.usage(signal);
        expect((await backend.usage(signal)).total).to.equal(128 * MiB);
        expect(await ground.volumes()).to.have.length(1);
      });
    });
  });

  describe('in a volume group that it makes of disks', () => {
    before(async () => {
      ground = await lvmGround();
    });

    afterEach(async () => {
      await ground.cleanUp();
      for (const serial of ['ssd-c', 'ssd-d'] as const) await blankDisk(serial);
      ground = await lvmGround();
    });

    after(() => ground.cleanUp());

    const open = async (serials: readonly ('ssd-c' | 'ssd-d')[], hasVolumes = false) => {
      const paths = await Promise.all(serials.map(diskOfGuest));
      return ground.open({}, { devices: { paths }, hasVolumes });
    };
    const states = (disks: readonly { path?: string | undefined; state: string }[] = []) =>
      Object.fromEntries(disks.map(({ path, state }) => [path ?? 'gone', state]));

    it('grows with disks that are selected, and lets go of those that are not', async () => {
      const [c, d] = [await diskOfGuest('ssd-c'), await diskOfGuest('ssd-d')];
      const first = await (await open(['ssd-c'])).usage(signal);
      expect(states(first.disks)).to.deep.equal({ [c]: 'used' });

      const grown = await (await open(['ssd-c', 'ssd-d'])).usage(signal);
      expect(states(grown.disks)).to.deep.equal({ [c]: 'used', [d]: 'used' });
      expect(grown.free).to.equal(2 * first.free);

      const shrunk = await (await open(['ssd-d'])).usage(signal);
      expect(states(shrunk.disks)).to.deep.equal({ [d]: 'used' });
      expect(await whyNotBlank(c, diskBytes)).to.equal(undefined);

      await (await open([])).usage(signal);
      expect(await whyNotBlank(d, diskBytes)).to.equal(undefined);
    });

    it('keeps a disk with volumes on it when it is no longer selected, and puts no more there', async () => {
      const c = await diskOfGuest('ssd-c');
      await (await open(['ssd-c'])).ensure(request('1', 8), signal);
      const left = await open([]);
      const { disks, free } = await left.usage(signal);

      expect(states(disks)).to.deep.equal({ [c]: 'leaving' });
      expect(free).to.equal(0);
      await left.remove(request('1', 8), 'none', signal);
      expect((await left.usage(signal)).disks).to.deep.equal([]);
      expect(await whyNotBlank(c, diskBytes)).to.equal(undefined);
    });

    it('takes no disk with anything on it', async () => {
      const c = await diskOfGuest('ssd-c');
      await runCommand('mkfs.ext4', ['-q', c, '32M']);
      const { disks, total } = await (await open(['ssd-c'])).usage(signal);

      expect(total).to.equal(0);
      expect(states(disks)).to.deep.equal({ [c]: 'refused' });
      expect(await runCommand('blkid', ['-o', 'value', '-s', 'TYPE', c])).to.include('ext4');
    });

    it('goes on with a disk that it had begun to take', async () => {
      const c = await diskOfGuest('ssd-c');
      const killed = killedAt((args) => args[0] === 'vgcreate');
      const backend = ground.open({}, { run: killed, devices: { paths: [c] } });
      await rejection(backend.usage(signal));

      expect(states((await (await open(['ssd-c'])).usage(signal)).disks)).to.deep.equal({
        [c]: 'used',
      });
    });

    it('leaves a group of its name alone that was not made for it', async () => {
      const [c, d] = [await diskOfGuest('ssd-c'), await diskOfGuest('ssd-d')];
      await lvm('vgcreate', '-y', '-s', '1m', 'berth-fast', c);
      const error = await rejection(ground.open({}, { devices: { paths: [d] } }).usage(signal));

      expect(error).to.be.instanceOf(PoolUnusableError);
      expect(error.message).to.include('berth-fast');
      expect(await whyNotBlank(d, diskBytes)).to.equal(undefined);
    });

    it('never begins anew when its disks are gone', async () => {
      await (await open(['ssd-c', 'ssd-d'])).ensure(request('1', 8), signal);
      const d = await diskOfGuest('ssd-d');
      const selected = { paths: [await diskOfGuest('ssd-c'), d] };
      await writeFile(`/sys/block/${basename(d)}/device/delete`, '1');
      try {
        const backend = ground.open({}, { devices: selected, hasVolumes: true });
        const { disks, free, warnings } = await backend.usage(signal);
        expect(Object.values(states(disks)).sort()).to.deep.equal(['missing', 'used']);
        expect(free).to.equal(0);
        expect(warnings?.join()).to.include('lacks');
        expect(await rejection(backend.ensure(request('2', 8), signal))).to.be.instanceOf(
          NoSpaceError,
        );
      } finally {
        await writeFile('/sys/class/scsi_host/host0/scan', '- - -');
        await waitFor('the disk', async () => (await diskOfGuest('ssd-d')) !== '', {
          timeoutMs: 20_000,
        });
      }
    });

    it('is not usable without its volume group where volumes were made', async () => {
      const error = await rejection((await open(['ssd-c'], true)).usage(signal));

      expect(error).to.be.instanceOf(PoolUnusableError);
      expect(await whyNotBlank(await diskOfGuest('ssd-c'), diskBytes)).to.equal(undefined);
    });
  });

  describe('as any backend', () => {
    before(async () => {
      ground = await lvmGround();
      await ground.makeGroup({ 'ssd-a': 72 });
    });

    after(() => ground.cleanUp());

    const kinds = {
      linear: {},
      thin: { type: 'thin', thin: { size: '64Mi' } },
    };
    for (const [kind, options] of Object.entries(kinds)) {
      const total = bytes((kind === 'linear' ? 72 : 64) * MiB);
      const pool = async () => ({
        ...{ backend: ground.open(options), total, largest: total },
        reopen: () => ground.open(options),
        reboot: () => ground.reboot(),
        allocatedFor: ground.plan(options).allocatedFor,
        cleanUp: () => ground.empty(),
      });
      describeBackend(`lvm (${kind})`, pool, kind === 'linear' ? { oldBytesWithNone: true } : {});
    }
  });
});
