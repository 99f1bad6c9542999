import { expect } from 'chai';
import { oneAtATime } from '../../src/usecases/one-at-a-time.ts';
import {
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { basename, join } from 'node:path';
import { encodeHeader } from '../../src/backends/loop-header.ts';
import { loop } from '../../src/backends/loop.ts';
import { bytes, MiB } from '../../src/model/bytes.ts';
import { NoSpaceError } from '../../src/model/errors.ts';
import type { ErasePolicy } from '../../src/model/volume.ts';
import { loopDevices } from '../../src/platform/loop-devices.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import { ForeignVolumeError, PoolUnusableError } from '../../src/usecases/ports.ts';
import { waitFor } from '../cluster/wait.ts';
import {
  linksIn,
  loopGround,
  needLoopDevices,
  noDisks,
  type LoopGround,
} from '../support/loop-pool.ts';
import { rejection } from '../support/rejection.ts';
import { describeBackend, read } from './contract.ts';

describe('the loop backend', () => {
  before(function () {
    needLoopDevices(this);
  });

  describeBackend('loop', async () => {
    const ground = await loopGround();
    return {
      backend: ground.open(),
      ...{ total: bytes(64 * MiB), largest: bytes(64 * MiB) },
      reopen: () => ground.open(),
      reboot: () => ground.reboot(),
      allocatedFor: ground.plan().allocatedFor,
      cleanUp: () => ground.cleanUp(),
    };
  });

  describe('loop', () => {
    const { signal } = new AbortController();
    const one = { name: 'pvc-1', volumeUid: 'uid-1', bytes: bytes(4 * MiB) };
    const two = { name: 'pvc-2', volumeUid: 'uid-2', bytes: bytes(4 * MiB) };
    let ground: LoopGround;
    const image = (name: string) => join(ground.directory, `${name}.img`);

    beforeEach(async () => {
      ground = await loopGround();
    });

    afterEach(() => ground.cleanUp());

    async function trimsAreDropped(device: string): Promise<void> {
      const limit = `/sys/block/${basename(device)}/queue/discard_max_bytes`;
      await waitFor('trims to be dropped', async () => (await readFile(limit, 'utf8')) === '0\n', {
        timeoutMs: 5_000,
        intervalMs: 5,
      });
    }

    it('makes a block device of exactly the usable size', async () => {
      const backend = ground.open();
      await backend.ensure(one, signal);
      const path = await backend.attach(one, signal);

      expect((await stat(path)).isBlockDevice()).to.equal(true);
      const size = await runCommand('blockdev', ['--getsize64', path]);
      expect(Number(size)).to.equal(4 * MiB);
    });

    it('can be written although its device number was read-only for somebody before', async () => {
      const attaching = loopDevices(async (program, args, signal) => {
        const said = await runCommand(program, args, signal);
        if (program === 'losetup' && args.includes('--show')) {
          await runCommand('blockdev', ['--setro', said.trim()]);
        }
        return said;
      });
      await ground.open().ensure(one, signal);
      const device = await attaching.attach(image('pvc-1'), MiB, 'dropped');

      expect((await runCommand('blockdev', ['--getro', device])).trim()).to.equal('0');
    });

    it('gives a preallocated image all its blocks, and a sparse one none of its data', async () => {
      await ground.open().ensure(one, signal);
      await ground.open({ allocation: 'sparse' }).ensure(two, signal);

      expect((await stat(image('pvc-1'))).blocks * 512).to.be.at.least(5 * MiB);
      expect((await stat(image('pvc-2'))).blocks * 512).to.be.below(MiB);
    });

    it('keeps the blocks of a preallocated image when its user trims them', async () => {
      const backend = ground.open();
      await backend.ensure(one, signal);
      const path = await backend.attach(one, signal);
      await trimsAreDropped(await realpath(path));
      await runCommand('mkfs.ext4', ['-q', path]);

      expect((await stat(image('pvc-1'))).blocks * 512).to.be.at.least(5 * MiB);
    });

    it('gives the blocks of a sparse image back when its user trims them, whoever had the device number before', async () => {
      const before = ground.open();
      await before.ensure(one, signal);
      const number = await realpath(await before.attach(one, signal));
      await trimsAreDropped(number);
      await before.remove(one, 'none', signal);
      const sparse = ground.open({ allocation: 'sparse' });
      await sparse.ensure(two, signal);
      const path = await sparse.attach(two, signal);
      await runCommand('dd', ['if=/dev/urandom', `of=${path}`, 'bs=1M', 'count=4', 'conv=fsync']);
      const written = (await stat(image('pvc-2'))).blocks * 512;
      await runCommand('blkdiscard', [path]);

      expect(written).to.be.at.least(4 * MiB);
      expect((await stat(image('pvc-2'))).blocks * 512).to.be.below(MiB);
      expect(await ground.devices()).to.have.length(1);
    });

    it('attaches to one device only, however often and by whomever it is asked', async () => {
      const backend = ground.open();
      await backend.ensure(one, signal);
      await backend.attach(one, signal);
      await backend.attach(one, signal);
      await ground.open().attach(one, signal);

      expect(await ground.devices()).to.have.length(1);
    });

    it('finds an image by what is in it when the file was moved away and back', async () => {
      const backend = ground.open();
      await backend.ensure(one, signal);
      await backend.attach(one, signal);
      await rename(image('pvc-1'), join(ground.directory, 'elsewhere'));
      await rename(join(ground.directory, 'elsewhere'), image('pvc-1'));
      await backend.attach(one, signal);

      expect(await ground.devices()).to.have.length(1);
    });

    describe('shows what it does not recognise, and neither attaches nor removes it', () => {
      const cases: [string, () => Promise<unknown>, string][] = [
        [
          'an image under the name of another',
          () => rename(image('pvc-2'), image('pvc-1')),
          'pvc-2',
        ],
        ['a file of somebody else', () => writeFile(image('pvc-1'), 'notes'), 'no Berth header'],
        ['a directory', () => mkdir(image('pvc-1')), 'not a regular file'],
        ['a link', () => symlink(image('pvc-2'), image('pvc-1')), 'not a regular file'],
        [
          'an image that was cut short',
          async () => {
            await ground.open().ensure(one, signal);
            await runCommand('truncate', ['-s', '2M', image('pvc-1')]);
          },
          'cut to',
        ],
      ];
      for (const [what, arrange, reason] of cases) {
        it(what, async () => {
          const backend = ground.open();
          await backend.ensure(two, signal);
          await arrange();

          const { strays } = await backend.list(signal);
          expect(strays.map(({ name }) => name)).to.deep.equal(['pvc-1']);
          expect(strays[0]?.reason).to.include(reason).and.include(image('pvc-1'));
          for (const call of [
            () => backend.ensure(one, signal),
            () => backend.attach(one, signal),
            () => backend.remove(one, 'discard', signal),
          ]) {
            expect(await rejection(call())).to.be.instanceOf(ForeignVolumeError);
          }
          expect(await readdir(ground.directory)).to.include('pvc-1.img');
          expect(await ground.devices()).to.deep.equal([]);
        });
      }

      it('an image of another pool', async () => {
        const inTurn = oneAtATime();
        const around = {
          ...{ runDir: ground.runDir, run: runCommand, now: () => 0 },
          ...{ inTurn, disks: noDisks },
        };
        const other = ground.plan().open({ ...around, pool: 'slow', hasVolumes: () => false });
        await other.ensure(one, signal);

        const { volumes, strays } = await ground.open().list(signal);
        expect(volumes).to.deep.equal([]);
        expect(strays[0]?.reason).to.include('belongs to pool slow');
      });
    });

    it('does not remove what is mounted, says so, and removes it later', async () => {
      const backend = ground.open();
      await backend.ensure(one, signal);
      const path = await backend.attach(one, signal);
      await runCommand('mkfs.ext4', ['-q', path]);
      const mount = join(ground.root, 'mnt');
      await mkdir(mount);
      await runCommand('mount', [path, mount]);
      let error: Error;
      try {
        error = await rejection(backend.remove(one, 'discard', signal));
        expect(await backend.find(one, signal)).to.not.equal(undefined);
        expect(await linksIn(ground.runDir)).to.have.keys('pvc-1');
      } finally {
        await runCommand('umount', [mount]);
      }

      expect(error.message).to.include('mounted');
      await backend.remove(one, 'discard', signal);
      expect(await readdir(ground.directory)).to.deep.equal([]);
      expect(await ground.devices()).to.deep.equal([]);
      expect(await linksIn(ground.runDir)).to.deep.equal({});
    });

    const witnessed = {
      zero: ['4Mi overwritten with zeros', ''],
      discard: ['punched 4Mi', ''],
      none: ['4Mi left as they are', 'secret'],
    } as const;
    for (const [erase, [said, left]] of Object.entries(witnessed)) {
      for (const allocation of ['preallocated', 'sparse']) {
        it(`leaves "${left}" on the disk with ${erase}, ${allocation}`, async () => {
          const backend = ground.open({ allocation });
          await backend.ensure(one, signal);
          await writeFile(await backend.attach(one, signal), 'secret');
          // A second name shows what the blocks hold after the image's own name is gone.
          const witness = join(ground.root, 'witness');
          await runCommand('ln', [image('pvc-1'), witness]);
          expect(await backend.remove(one, erase as ErasePolicy, signal)).to.equal(said);

          const data = (await read(witness, 5 * MiB)).slice(MiB);
          expect(data.replaceAll('\0', '')).to.equal(left);
          if (erase === 'discard') {
            expect((await stat(witness)).blocks * 512).to.be.below(MiB + 64 * 1024);
          }
        });
      }
    }

    describe('adopting', () => {
      /** What a kill between the header and the name of an adopted image leaves. */
      const cutOff = async () => {
        const backend = ground.open();
        const { bytes: size } = await backend.ensure(one, signal);
        await writeFile(await backend.attach(one, signal), 'kept');
        await ground.reboot();
        const header = { ...{ name: 'pvc-2', volumeUid: 'uid-2' }, pool: 'fast', bytes: size };
        const block = encodeHeader({ ...header, createdAt: 'today', adoptedFrom: 'pvc-1' });
        const handle = await open(image('pvc-1'), 'r+');
        await handle.write(block, 0, block.length, 0);
        await handle.close();
      };

      it('is finished by the next start, and nobody sees a stray', async () => {
        await cutOff();
        const next = ground.open();
        const { volumes, strays } = await next.list(signal);
        const adopted = await next.adopt(one, two, signal);

        expect([volumes, strays]).to.deep.equal([[adopted], []]);
        expect(await readdir(ground.directory)).to.deep.equal(['pvc-2.img']);
        expect(await read(await next.attach(two, signal), 4)).to.equal('kept');
      });

      it('never takes the place of what stands under the new name', async () => {
        await cutOff();
        await writeFile(image('pvc-2'), 'of somebody else');
        const { strays } = await ground.open().list(signal);

        expect(strays.map(({ name }) => name)).to.deep.equal(['pvc-1', 'pvc-2']);
        expect(await readFile(image('pvc-2'), 'utf8')).to.equal('of somebody else');
      });

      it('waits for those who still use it', async () => {
        const backend = ground.open();
        await backend.ensure(one, signal);
        const path = await backend.attach(one, signal);
        const user = await open(path, 'r');
        const error = await rejection(backend.adopt(one, two, signal));
        await user.close();

        expect(error.message).to.include('still open');
        await backend.adopt(one, two, signal);
        expect(await linksIn(ground.runDir)).to.deep.equal({});
      });
    });

    describe('growing that was cut off', () => {
      const larger = { ...one, bytes: bytes(9 * MiB) };
      const shown = async (path: string) =>
        Number(await runCommand('blockdev', ['--getsize64', path]));

      /** An agent that is killed before it runs this program. */
      const dying = (program: string) => {
        const run: typeof runCommand = (name, args, signal) =>
          name === program ? Promise.reject(new Error('killed')) : runCommand(name, args, signal);
        const around = { pool: 'fast', runDir: ground.runDir, now: () => 0, inTurn: oneAtATime() };
        return ground.plan().open({ ...around, run, disks: noDisks, hasVolumes: () => true });
      };

      it('after its file: nobody sees the rest, and it is finished or taken back', async () => {
        const backend = ground.open();
        await backend.ensure(one, signal);
        const path = await backend.attach(one, signal);
        await runCommand('fallocate', ['--length', String(7 * MiB), image('pvc-1')]);

        expect((await backend.list(signal)).strays).to.deep.equal([]);
        expect(await backend.find(one, signal)).to.include({ bytes: 4 * MiB });
        expect((await backend.usage(signal)).allocated).to.equal(7 * MiB);
        const tooBig = { ...one, bytes: bytes(64 * MiB) };
        expect(await rejection(backend.grow(tooBig, signal))).to.be.instanceOf(NoSpaceError);
        expect((await backend.usage(signal)).allocated).to.equal(5 * MiB);

        await runCommand('fallocate', ['--length', String(7 * MiB), image('pvc-1')]);
        await ground.reboot();
        await ground.open().attach(one, signal);
        expect(await shown(path)).to.equal(4 * MiB);
        await ground.open().grow(larger, signal);
        expect(await shown(path)).to.equal(9 * MiB);
        expect((await stat(image('pvc-1'))).blocks * 512).to.be.at.least(10 * MiB);
      });

      it('before its device has followed: attaching lets it follow', async () => {
        const backend = ground.open();
        await backend.ensure(one, signal);
        const path = await backend.attach(one, signal);
        await rejection(dying('losetup').grow(larger, signal));
        expect(await shown(path)).to.equal(4 * MiB);

        await ground.open().attach(one, signal);
        expect(await shown(path)).to.equal(9 * MiB);
        expect(await ground.devices()).to.have.length(1);
      });
    });

    it('gives a sparse image no blocks when it grows', async () => {
      const backend = ground.open({ allocation: 'sparse' });
      await backend.ensure(one, signal);
      await backend.attach(one, signal);
      await backend.grow({ ...one, bytes: bytes(32 * MiB) }, signal);

      expect((await stat(image('pvc-1'))).blocks * 512).to.be.below(MiB);
      expect((await backend.usage(signal)).allocated).to.equal(33 * MiB);
    });

    describe('strays', () => {
      it('are removed by name: files, and links without what they lead to', async () => {
        const backend = ground.open();
        await writeFile(image('pvc-1'), 'notes');
        await writeFile(join(ground.root, 'target'), 'stays');
        await symlink(join(ground.root, 'target'), image('pvc-2'));

        expect(await backend.removeStray('pvc-1', 'zero', signal)).to.include('overwritten');
        expect(await backend.removeStray('pvc-2', 'zero', signal)).to.include('no regular file');
        expect(await readdir(ground.directory)).to.deep.equal([]);
        expect(await readFile(join(ground.root, 'target'), 'utf8')).to.equal('stays');
      });

      it('that are directories are left to people', async () => {
        await mkdir(image('pvc-1'));
        const error = await rejection(ground.open().removeStray('pvc-1', 'none', signal));

        expect(error).to.be.instanceOf(ForeignVolumeError);
        expect(await readdir(ground.directory)).to.deep.equal(['pvc-1.img']);
      });

      it('say which volume they were', async () => {
        const backend = ground.open();
        await backend.ensure(one, signal);
        await rename(image('pvc-1'), image('pvc-2'));
        const { strays } = await backend.list(signal);

        expect(strays[0]?.says).to.deep.equal({ name: 'pvc-1', volumeUid: 'uid-1' });
      });
    });

    it('goes on with a removal that was cut off after any of its steps', async () => {
      const backend = ground.open();
      await backend.ensure(one, signal);
      const path = await backend.attach(one, signal);
      await runCommand('losetup', ['--detach', (await ground.devices())[0] ?? '']);
      await backend.remove(one, 'zero', signal);
      expect(await linksIn(ground.runDir)).to.deep.equal({});

      await backend.ensure(two, signal);
      await backend.attach(two, signal);
      await rm(image('pvc-2'));
      await backend.remove(two, 'discard', signal);
      expect(await ground.devices()).to.deep.equal([]);
      expect(path).to.equal(join(ground.runDir, 'pvc-1'));
    });

    it('removes what a crash left half made, and counts none of it', async () => {
      await writeFile(join(ground.directory, 'pvc-1.img.partial'), Buffer.alloc(9 * MiB));
      const backend = ground.open();

      expect((await backend.usage(signal)).allocated).to.equal(0);
      expect(await readdir(ground.directory)).to.deep.equal([]);
      await backend.ensure(one, signal);
    });

    describe('links after a restart', () => {
      it('stay where the device holds the volume of that name', async () => {
        const backend = ground.open();
        await backend.ensure(one, signal);
        await backend.attach(one, signal);
        const before = await linksIn(ground.runDir);
        await loop.dropStaleLinks(ground.runDir, runCommand);

        expect(await linksIn(ground.runDir)).to.deep.equal(before);
      });

      describe('of an agent whose container has ended', () => {
        // As a container sees a folder of its node: mounted, at another path.
        const script = 'mount --bind "$1" "$2"; shift 2; exec losetup "$@"';
        const inContainer = (...args: string[]) =>
          runCommand('unshare', [
            '--mount',
            'sh',
            '-ec',
            script,
            'sh',
            ground.root,
            '/mnt',
            ...args,
          ]);
        let device: string;

        beforeEach(async () => {
          await runCommand('mount', ['--bind', ground.root, ground.root]);
          await ground.open().ensure(one, signal);
          const part = ['--offset', String(MiB)];
          const file = '/mnt/pool/pvc-1.img';
          device = (await inContainer('--find', '--show', ...part, file)).trim();
          await ground.open().attach(one, signal);
        });

        afterEach(async () => {
          await runCommand('losetup', ['--detach', device]).catch(() => undefined);
          await runCommand('umount', [ground.root]);
        });

        it('stay although nobody sees the path any more that the kernel tells', async () => {
          await loop.dropStaleLinks(ground.runDir, runCommand);

          expect(await linksIn(ground.runDir)).to.deep.equal({ 'pvc-1': device });
        });

        it('go with the volume whose image was deleted by hand, and its device', async () => {
          await rm(image('pvc-1'));
          await ground.open().remove(one, 'discard', signal);

          const text = await runCommand('losetup', ['--list', '--output', 'NAME']);
          expect(text.split('\n')).not.to.include(device);
          expect(await linksIn(ground.runDir)).to.deep.equal({});
        });
      });

      it('go where the device holds another volume, nothing, or is not there', async () => {
        const backend = ground.open();
        await backend.ensure(one, signal);
        await backend.attach(one, signal);
        const [device = ''] = await ground.devices();
        await symlink(device, join(ground.runDir, 'pvc-2'));
        await symlink('/dev/loop99999', join(ground.runDir, 'pvc-3'));
        await symlink(device, join(ground.runDir, 'pvc-1.fresh'));
        await symlink(`${device}p1`, join(ground.runDir, 'pvc-4'));
        await loop.dropStaleLinks(ground.runDir, runCommand);

        const [own, ofOtherBackend] = [{ 'pvc-1': device }, { 'pvc-4': `${device}p1` }];
        expect(await linksIn(ground.runDir)).to.deep.equal({ ...own, ...ofOtherBackend });
      });

      it('are put right by attaching', async () => {
        const backend = ground.open();
        await backend.ensure(one, signal);
        await backend.ensure(two, signal);
        await backend.attach(one, signal);
        const [device = ''] = await ground.devices();
        await symlink(device, join(ground.runDir, 'pvc-2'));
        await backend.attach(two, signal);

        const links = await linksIn(ground.runDir);
        expect(links['pvc-1']).to.equal(device);
        expect(links['pvc-2']).to.not.equal(device);
      });

      it('need no run directory', () => loop.dropStaleLinks(join(ground.root, 'none'), runCommand));
    });

    describe('the filesystem under the pool', () => {
      it('limits the pool when it is smaller than the declared size', async () => {
        await ground.mountSmall(32);
        const { total, free } = await ground.open({ size: '1Gi' }).usage(signal);

        expect(total).to.be.below(32 * MiB);
        expect(free).to.be.at.most(total);
      });

      for (const allocation of ['preallocated', 'sparse']) {
        it(`is full: ${allocation} volumes are refused and nothing is left`, async () => {
          await ground.mountSmall(32);
          const backend = ground.open({ allocation });
          await runCommand('fallocate', ['-l', '24M', join(ground.directory, 'foreign')]);
          const error = await rejection(backend.ensure({ ...one, bytes: bytes(12 * MiB) }, signal));

          expect(error).to.be.instanceOf(NoSpaceError);
          expect(await readdir(ground.directory)).to.not.include('pvc-1.img.partial');
          expect((await backend.list(signal)).volumes).to.deep.equal([]);
        });
      }

      it('is never promised twice by a sparse pool', async () => {
        await ground.mountSmall(48);
        const backend = ground.open({ allocation: 'sparse' });
        const before = await backend.usage(signal);
        await backend.ensure({ ...one, bytes: bytes(20 * MiB) }, signal);
        const after = await backend.usage(signal);

        expect(before.free - after.free).to.be.at.least(20 * MiB);
      });
    });

    describe('a directory that cannot be used', () => {
      const unusable = async (loop: Record<string, unknown>, hasVolumes = false) => {
        const backend = ground.open(loop, hasVolumes);
        const errors = await Promise.all([
          rejection(backend.usage(signal)),
          rejection(backend.list(signal)),
          rejection(backend.ensure(one, signal)),
          rejection(backend.remove(one, 'discard', signal)),
        ]);
        errors.forEach((error) => expect(error).to.be.instanceOf(PoolUnusableError));
        return errors[0].message;
      };

      it('is named when its parent is missing', async () => {
        const directory = join(ground.root, 'no', 'pool');
        expect(await unusable({ directory })).to.include(`loop.directory is "${directory}"`);
        expect(await readdir(ground.root)).to.not.include('no');
      });

      it('is named when it is a file, or lies below one', async () => {
        const directory = join(ground.root, 'file');
        await writeFile(directory, '');
        expect(await unusable({ directory })).to.include('not a directory');
        expect(await unusable({ directory: `${directory}/pool` })).to.include('not a directory');
      });

      it('is named when it is read-only', async () => {
        await ground.mountSmall(16);
        await runCommand('mount', ['-o', 'remount,ro', ground.directory]);
        expect(await unusable({})).to.include('read-only');
      });

      it('is not made anew when volumes were in it', async () => {
        const directory = join(ground.root, 'gone');
        expect(await unusable({ directory }, true)).to.include('is its disk mounted?');
        expect(await readdir(ground.root)).to.not.include('gone');
      });

      it('is made when only its last part is missing, and it is used again when it is back', async () => {
        const directory = join(ground.root, 'new');
        const backend = ground.open({ directory });
        expect((await backend.usage(signal)).free).to.equal(64 * MiB);
        await rm(directory, { recursive: true });
        await writeFile(directory, '');
        await rejection(backend.usage(signal));
        await rm(directory);
        expect((await backend.usage(signal)).free).to.equal(64 * MiB);
      });
    });

    it('attaches a hundred volumes at once', async function () {
      this.timeout(30_000);
      const backend = ground.open({ size: '1Gi', allocation: 'sparse' });
      const all = Array.from({ length: 100 }, (_, n) => ({ ...one, name: `pvc-${n}` }));
      await Promise.all(all.map((each) => backend.ensure({ ...each, bytes: bytes(4096) }, signal)));
      await Promise.all(all.map((each) => backend.attach(each, signal)));

      expect(new Set(Object.values(await linksIn(ground.runDir))).size).to.equal(100);
    });
  });
});
