import { open, readFile, writeFile } from 'node:fs/promises';
import { expect } from 'chai';

import { bytes, MiB } from '../../src/model/bytes.ts';
import { NoSpaceError } from '../../src/model/errors.ts';
import { runCommand, type RunCommand } from '../../src/platform/run-command.ts';
import { ForeignVolumeError, PoolUnusableError } from '../../src/usecases/ports.ts';
import { sized, volumeNamed } from '../support/identities.ts';
import { rejection } from '../support/rejection.ts';
import { killedAt, lvmGround, type LvmGround } from './lvm-ground.ts';

const { signal } = new AbortController();
const lvm = (...args: string[]) => runCommand('lvm', args);

describe('the lvm backend', () => {
  let ground: LvmGround;

  describe('in a volume group that is there', () => {
    before(async () => {
      ground = await lvmGround();
      await ground.makeGroup({ 'ssd-a': 64, 'ssd-b': 48, 'ssd-c': 32 });
    });

    afterEach(() => ground.empty());
    after(() => ground.cleanUp());

    const one = sized('1', 8);

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
      const two = sized('2', 8);
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
        () => backend.ensure(one, signal),
        () => backend.find(one, signal),
        () => backend.attach(one, signal),
        () => backend.remove(one, 'zero', signal),
        () => backend.removeStray(one.name, 'zero', signal),
        () => backend.adopt(sized('2', 8), one, signal),
      ]) {
        expect(await rejection(call())).to.be.instanceOf(ForeignVolumeError);
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

    describe('asked for many at once', () => {
      const many = (count: number, mebibytes: number) =>
        Array.from({ length: count }, (_, index) => sized(`many ${index}`, mebibytes));
      const nameIn = (args: readonly string[]) => args[args.indexOf('--name') + 1];

      it('makes them after one look, and whole by one command', async () => {
        const commands: string[] = [];
        const counting: RunCommand = (program, args, ...rest) => {
          if (program === 'lvm') {
            commands.push(args.includes('--deltag') ? 'whole' : (args[0] ?? ''));
          }
          return runCommand(program, args, ...rest);
        };
        const backend = ground.open({}, { run: counting });
        await backend.list(signal);
        commands.length = 0;
        const all = many(6, 4);
        const paths = await Promise.all(
          all.map(async (each) => {
            await backend.ensure(each, signal);
            return backend.attach(each, signal);
          }),
        );

        expect(commands).to.deep.equal(['fullreport', ...all.map(() => 'lvcreate'), 'whole']);
        for (const path of paths) {
          expect(Number(await runCommand('blockdev', ['--getsize64', path]))).to.equal(4 * MiB);
        }
        const { volumes } = await ground.open().list(signal);
        expect(volumes.map(({ name }) => name)).to.have.members(all.map(({ name }) => name));
        const again = await Promise.all(all.map((each) => backend.attach(each, signal)));
        expect(again).to.deep.equal(paths);
      });

      it('gives to as many as there is room for, and tells the others how much there is', async () => {
        const backend = ground.open();
        const outcomes = await Promise.allSettled(
          many(5, 40).map((each) => backend.ensure(each, signal)),
        );
        const refused = outcomes.flatMap((each) =>
          each.status === 'rejected' ? [each.reason as Error] : [],
        );
        expect(refused).to.have.lengthOf(2);
        for (const error of refused) {
          expect(error).to.be.instanceOf(NoSpaceError);
          expect(error.message).to.include('24Mi free of 144Mi');
        }
        expect(await ground.volumes()).to.have.lengthOf(3);
      });

      it('leaves nothing of one that fails, and makes the others', async () => {
        const [bad, ...good] = many(4, 4);
        const failing: RunCommand = async (program, args, ...rest) => {
          const text = await runCommand(program, args, ...rest);
          if (args[0] === 'lvcreate' && nameIn(args) === bad?.name) throw new Error('too late');
          return text;
        };
        const backend = ground.open({}, { run: failing });
        const outcomes = await Promise.allSettled(
          [...many(4, 4), ...good].map((each) => backend.ensure(each, signal)),
        );
        const [first, ...rest] = outcomes.map(({ status }) => status);
        expect(first).to.equal('rejected');
        expect(rest).to.deep.equal(rest.map(() => 'fulfilled'));
        expect(await ground.volumes()).to.have.members(good.map(({ name }) => name));
      });

      it('makes all or none when it is killed before the last command', async () => {
        const killed = killedAt((args) => args.includes('--deltag'));
        const backend = ground.open({}, { run: killed });
        await Promise.allSettled(many(3, 4).map((each) => backend.ensure(each, signal)));
        expect(await ground.volumes()).to.have.lengthOf(3);

        expect((await ground.open().list(signal)).volumes).to.deep.equal([]);
        expect(await ground.volumes()).to.deep.equal([]);
      });
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

      const tooBig = await rejection(backend.ensure(sized('1', 97), signal));
      expect(tooBig).to.be.instanceOf(NoSpaceError);
      await backend.ensure(sized('1', 96), signal);
      expect((await backend.usage(signal)).allocated).to.equal(largest);
    });

    it('keeps copies on different disks, and counts what lies beside them', async () => {
      const lvmOptions = { type: 'mirrored', copies: 2 };
      const backend = ground.open(lvmOptions);
      const { largest } = await backend.usage(signal);
      expect(largest).to.equal(96 * MiB);
      expect(ground.plan(lvmOptions).allocatedFor(bytes(47 * MiB))).to.equal(largest);

      await backend.ensure(sized('1', 47), signal);
      const { allocated, volumes } = await backend.usage(signal);
      expect(allocated).to.equal(largest);
      expect(volumes).to.deep.equal([volumeNamed('1').name]);
    });

    for (const [type, options] of [
      ['striped', { stripes: 2 }],
      ['mirrored', { copies: 2 }],
      ['thin', { thin: { size: '64Mi', overcommit: '2.0' } }],
    ] as const) {
      it(`lets a volume grow that is in use, and keeps what is in it (${type})`, async () => {
        const lvmOptions = { type, ...options };
        const backend = ground.open(lvmOptions);
        await backend.ensure(one, signal);
        const path = await backend.attach(one, signal);
        await writeFile(path, 'kept', { flag: 'r+' });
        const handle = await open(path, 'r+');
        try {
          const grown = await backend.grow(sized('1', 20), signal);
          expect(grown.bytes).to.be.at.least(20 * MiB);
          await handle.write('end', 20 * MiB - 3);
          await handle.sync();
        } finally {
          await handle.close();
        }
        expect(await ground.open(lvmOptions).find(one, signal)).to.deep.include({
          allocatedBytes: ground.plan(lvmOptions).allocatedFor(bytes(20 * MiB)),
        });
        expect((await readFile(path)).subarray(0, 4).toString()).to.equal('kept');
      });
    }

    describe('thin', () => {
      const options = { type: 'thin', thin: { size: '64Mi', overcommit: '2.0' } };

      it('promises more than there is, warns when it fills, and stops promising in time', async () => {
        const backend = ground.open(options);
        await backend.ensure(sized('1', 60), signal);
        const before = await backend.usage(signal);
        expect(before).to.include({ total: 128 * MiB, allocated: 60 * MiB, free: 68 * MiB });
        expect(before.thin).to.include({ physical: 64 * MiB, committed: 60 * MiB, overcommit: 2 });
        expect(before.warnings).to.equal(undefined);

        const path = await backend.attach(sized('1', 60), signal);
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
        const error = await rejection(backend.ensure(sized('2', 1), signal));
        expect(error).to.be.instanceOf(NoSpaceError);
        expect(error.message).to.include('thin pool');
        expect(await backend.find(sized('2', 1), signal)).to.equal(undefined);

        await backend.remove(sized('1', 60), 'discard', signal);
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
});
