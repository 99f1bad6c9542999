import { expect } from 'chai';
import fc from 'fast-check';
import { constants } from 'node:fs';
import { mkdir, open, readFile, realpath, stat, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { partition } from '../../src/backends/partition.ts';
import { bytes, MiB } from '../../src/model/bytes.ts';
import { NoSpaceError, PermanentError } from '../../src/model/errors.ts';
import { runCommand, type RunCommand } from '../../src/platform/run-command.ts';
import type { StorageBackend } from '../../src/usecases/ports.ts';
import { gptGround, type GptGround } from '../support/gpt-pool.ts';
import { sized } from '../support/identities.ts';
import { scribble } from '../support/loop-disks.ts';
import { linksIn, needLoopDevices } from '../support/loop-pool.ts';
import { rejection } from '../support/rejection.ts';
import { read } from './contract.ts';

interface Sfdisk {
  readonly partitiontable: {
    readonly partitions: readonly { node: string; start: number; size: number; uuid: string }[];
  };
}

describe('volumes that are partitions', () => {
  const { signal } = new AbortController();
  const one = sized('1', 4);
  const two = sized('2', 4);
  let ground: GptGround;
  let backend: StorageBackend;
  let disk: string;

  before(function () {
    needLoopDevices(this);
  });

  const use = async (kind: 'partition' | 'device', sizes: readonly number[]) => {
    ground = await gptGround(kind, sizes);
    backend = ground.open();
    disk = ground.paths()[0] ?? '';
  };

  afterEach(() => ground.cleanUp());

  const tableOf = async (path: string) => {
    const text = await runCommand('sfdisk', ['--json', path]);
    return (JSON.parse(text) as Sfdisk).partitiontable.partitions;
  };
  const uuidOf = (name: string) => name.replace('pvc-', '').toUpperCase();
  const deviceOf = async (volume: typeof one) => realpath(await backend.attach(volume, signal));

  describe('of backend partition', () => {
    beforeEach(() => use('partition', [34]));

    it('are aligned, of exactly the usable size, and carry the uid of their claim', async () => {
      await backend.ensure({ ...one, bytes: bytes(3 * MiB + 1) }, signal);
      await backend.ensure(two, signal);
      const device = await deviceOf(two);

      const [, first, second] = await tableOf(disk);
      expect(first).to.include({ start: 2048, size: 8192, uuid: uuidOf(one.name) });
      expect(second).to.include({ start: 10240, size: 8192, uuid: uuidOf(two.name) });
      expect(device).to.equal(second?.node);
      expect(Number(await runCommand('blockdev', ['--getsize64', device]))).to.equal(4 * MiB);
    });

    it('take the smallest gap that can hold them, and large ones stay whole', async () => {
      for (const [label, size] of [
        ['a', 6],
        ['b', 2],
        ['c', 4],
        ['d', 2],
      ] as const) {
        await backend.ensure(sized(label, size), signal);
      }
      await backend.remove(sized('a', 6), 'none', signal);
      await backend.remove(sized('c', 4), 'none', signal);
      const { free, largest } = await backend.usage(signal);
      expect([free, largest]).to.deep.equal([28 * MiB, 18 * MiB]);

      await backend.ensure(sized('e', 3), signal);
      const found = (await tableOf(disk)).find(({ uuid }) => uuid === uuidOf(sized('e', 3).name));
      expect(found?.start).to.equal((9 * MiB) / 512);
      const error = await rejection(backend.ensure(sized('f', 19), signal));
      expect(error).to.be.instanceOf(NoSpaceError);
      expect(error.message).to.include('18Mi in one piece');
    });

    it('never show the filesystem of an earlier one, wherever in it they begin', async () => {
      await backend.ensure(sized('a', 20), signal);
      const device = await deviceOf(sized('a', 20));
      // As a file of its user may hold an image of a disk.
      await runCommand('mkfs.ext4', ['-q', '-E', `offset=${8 * MiB}`, device, '8M']);
      await backend.remove(sized('a', 20), 'none', signal);
      await backend.ensure(sized('b', 8), signal);
      await backend.ensure(sized('c', 8), signal);

      const type = ['--probe', '--output', 'value', '--match-tag', 'TYPE'];
      const found = await runCommand('blkid', [...type, await deviceOf(sized('c', 8))]);
      expect(found.trim()).to.equal('');
    });

    for (const erase of ['discard', 'zero'] as const) {
      it(`leave nothing on the disk where they were (${erase})`, async () => {
        await backend.ensure(one, signal);
        await backend.ensure(two, signal);
        await scribble(await deviceOf(one), 0, 4);
        await scribble(await deviceOf(two), 0, 4);
        await backend.remove(one, erase, signal);

        const content = await ground.disks.content(disk);
        expect(content.subarray(MiB, 5 * MiB).every((byte) => byte === 0)).to.equal(true);
        expect(content.subarray(5 * MiB, 9 * MiB).includes(0)).to.equal(false);
      });
    }

    it('leave alone what came into their room between looking and writing', async () => {
      await backend.usage(signal);
      const racing: RunCommand = async (program, args, ...rest) => {
        if (args.includes('--append')) {
          const rival = 'start=2048, size=65536\n';
          await runCommand('sfdisk', ['-q', '--no-reread', '--append', disk], undefined, rival);
        }
        return runCommand(program, args, ...rest);
      };
      const error = await rejection(ground.open({ run: racing }).ensure(one, signal));

      expect(error.message).to.include(disk);
      expect(await tableOf(disk)).to.have.length(2);
      expect(await backend.list(signal)).to.deep.equal({ volumes: [], strays: [] });
      expect(await rejection(backend.ensure(one, signal))).to.be.instanceOf(NoSpaceError);
    });

    it('are refused when the table is full: 127 beside the mark', async function () {
      this.timeout(120_000);
      await ground.cleanUp();
      await use('partition', [160]);
      await backend.usage(signal);
      const taken = 126;
      const lines = Array.from({ length: taken }, (_, n) => `start=${(20 + n) * 2048}, size=2048`);
      await runCommand('sfdisk', ['-q', '--append', disk], undefined, `${lines.join('\n')}\n`);
      await backend.ensure(one, signal);
      const { free, largest, total } = await backend.usage(signal);

      expect([free, largest]).to.deep.equal([0, 0]);
      expect(total).to.be.above(0);
      expect(await rejection(backend.ensure(two, signal))).to.be.instanceOf(NoSpaceError);
      await backend.remove(one, 'none', signal);
      await backend.ensure(two, signal);
    });

    it('are not removed or adopted while they are mounted, or only open', async () => {
      await backend.ensure(one, signal);
      const path = await backend.attach(one, signal);
      await runCommand('mkfs.ext4', ['-q', path]);
      const mount = join(ground.disks.root, 'mnt');
      await mkdir(mount);
      await runCommand('mount', [path, mount]);
      const errors = [await rejection(backend.remove(one, 'discard', signal))];
      errors.push(await rejection(backend.adopt(one, two, signal)));
      await runCommand('umount', [mount]);
      const handle = await open(path, constants.O_RDONLY);
      errors.push(await rejection(backend.remove(one, 'discard', signal)));
      const { buffer } = await handle.read(Buffer.alloc(2), 0, 2, 1024 + 56);
      await handle.close();

      expect(errors.map(({ message }) => /in use|open/.test(message))).to.deep.equal([
        true,
        true,
        true,
      ]);
      expect(buffer.toString('hex')).to.equal('53ef');
      await backend.remove(one, 'discard', signal);
      expect(await linksIn(ground.runDir)).to.deep.equal({});
    });

    it('are not placed where the kernel still knows a partition that somebody uses', async () => {
      await backend.usage(signal);
      await runCommand('addpart', [disk, '9', '2048', '4096']);
      const handle = await open(`${disk}p9`, constants.O_RDONLY | constants.O_EXCL);
      const error = await rejection(backend.ensure(one, signal));
      await handle.close();

      expect(error.message).to.include(`${disk}p9`);
      await backend.ensure(one, signal);
      expect(await deviceOf(one)).to.equal(`${disk}p2`);
    });

    it('are attached as their table has them, whatever the kernel knew', async () => {
      await backend.ensure(one, signal);
      await runCommand('addpart', [disk, '2', '20480', '2048']);
      await runCommand('addpart', [disk, '7', '2048', '2048']);
      const device = await deviceOf(one);

      expect(Number(await runCommand('blockdev', ['--getsize64', device]))).to.equal(4 * MiB);
      const start = await readFile(`/sys/class/block/${basename(device)}/start`, 'utf8');
      expect(Number(start)).to.equal(2048);
    });

    it('have names that are nothing but text, and lead nowhere', async function () {
      this.timeout(60_000);
      await backend.ensure(one, signal);
      const before = await tableOf(disk);
      const strange = fc.oneof(
        fc.string({ unit: 'binary', minLength: 1 }),
        fc.constantFrom('pvc-', '../../dev/sda', '$(reboot)', 'pvc-1", start=0', `${one.name}\n`),
      );
      await fc.assert(
        fc.asyncProperty(strange, strange, async (name, volumeUid) => {
          const request = { ...one, name, volumeUid };
          expect(await rejection(backend.ensure(request, signal))).to.be.instanceOf(PermanentError);
          const uidOnly = { ...two, volumeUid };
          expect(await rejection(backend.ensure(uidOnly, signal))).to.be.instanceOf(PermanentError);
          await rejection(backend.attach(request, signal));
        }),
        { numRuns: 6 },
      );

      expect(await tableOf(disk)).to.deep.equal(before);
      expect(await stat('/dev/null')).to.not.equal(undefined);
    });

    it('whose uid cannot be read are strays: shown, never attached, removed by name', async () => {
      await backend.ensure(one, signal);
      await backend.ensure(two, signal);
      await runCommand('sfdisk', ['-q', '--no-reread', '--part-label', disk, '2', 'by hand']);
      const { volumes, strays } = await backend.list(signal);

      expect(volumes.map(({ name }) => name)).to.deep.equal([two.name]);
      expect(strays[0]).to.include({ name: one.name, bytes: 4 * MiB });
      expect(strays[0]?.reason).to.include('by hand').and.include(disk);
      await rejection(backend.attach(one, signal));
      await rejection(backend.ensure(one, signal));
      expect(await backend.removeStray(one.name, 'zero', signal)).to.include('4Mi');
      expect((await backend.list(signal)).strays).to.deep.equal([]);
      expect((await backend.list(signal)).volumes).to.have.length(1);
    });

    describe('when a program is killed on the way', () => {
      /** The nth program that changes something is the last one, before or after it has run. */
      const dyingAt = (nth: number, isAfter: boolean): { run: RunCommand; died: () => boolean } => {
        let changes = 0;
        const isRead = (program: string, args: readonly string[]) =>
          program === 'lsblk' || args.includes('--json');
        return {
          died: () => changes >= nth,
          run: async (program, args, ...rest) => {
            if (isRead(program, args)) {
              return runCommand(program, args, ...rest);
            }
            changes += 1;
            if (changes > nth || (changes === nth && !isAfter)) {
              throw new Error('killed');
            }
            const said = await runCommand(program, args, ...rest);
            if (changes === nth) {
              throw new Error('killed');
            }
            return said;
          },
        };
      };

      const steps = [1, 2, 3, 4, 5, 6].flatMap((nth) => [
        [nth, false] as const,
        [nth, true] as const,
      ]);

      it('making is finished or undone by the next start', async function () {
        this.timeout(120_000);
        for (const [nth, isAfter] of steps) {
          const { run } = dyingAt(nth, isAfter);
          const dying = ground.open({ run });
          await dying
            .ensure(one, signal)
            .then(() => dying.attach(one, signal))
            .catch(() => undefined);
          const volume = await backend.ensure(one, signal);

          expect((await backend.list(signal)).volumes).to.deep.equal([volume]);
          expect((await backend.usage(signal)).allocated).to.equal(4 * MiB);
          await backend.remove(one, 'none', signal);
        }
      });

      it('removing is finished by the next start, and nobody sees old bytes', async function () {
        this.timeout(120_000);
        for (const [nth, isAfter] of steps) {
          await backend.ensure(one, signal);
          await scribble(await deviceOf(one), 0, 4);
          const { run, died } = dyingAt(nth, isAfter);
          const removal = ground.open({ run }).remove(one, 'discard', signal);
          expect(await removal.then(() => 'done').catch(String)).to.match(
            died() ? /killed/ : /done/,
          );
          await backend.remove(one, 'discard', signal);

          const { free, total } = await backend.usage(signal);
          expect(free).to.equal(total);
          const content = await ground.disks.content(disk);
          expect(content.subarray(MiB, 33 * MiB).every((byte) => byte === 0)).to.equal(true);
        }
      });

      it('adopting has happened or not', async () => {
        for (const isAfter of [false, true]) {
          await backend.ensure(one, signal);
          const { run } = dyingAt(1, isAfter);
          await rejection(ground.open({ run }).adopt(one, two, signal));
          const { volumes } = await backend.list(signal);
          expect(volumes.map(({ name }) => name)).to.deep.equal([(isAfter ? two : one).name]);
          await backend.adopt(one, two, signal);
          await backend.remove(two, 'none', signal);
        }
      });
    });

    describe('and their links after a restart', () => {
      it('stay where the partition is the volume of that name', async () => {
        await backend.ensure(one, signal);
        await backend.attach(one, signal);
        const before = await linksIn(ground.runDir);
        await partition.dropStaleLinks(ground.runDir, runCommand);

        expect(await linksIn(ground.runDir)).to.deep.equal(before);
      });

      it('go where it is another one, or not there, and only then', async () => {
        await backend.ensure(one, signal);
        const device = await deviceOf(one);
        const others = { a: '/dev/loop99998', b: '/dev/mapper/vg-1', c: '/dev/dm-3' };
        for (const [name, target] of Object.entries(others)) {
          await symlink(target, join(ground.runDir, name));
        }
        await symlink(device, join(ground.runDir, two.name));
        await symlink(`${disk}p77`, join(ground.runDir, 'pvc-3'));
        await symlink('/dev/sdz9', join(ground.runDir, 'pvc-4'));
        await partition.dropStaleLinks(ground.runDir, runCommand);

        expect(await linksIn(ground.runDir)).to.deep.equal({ ...others, [one.name]: device });
      });
    });
  });

  describe('of backend device', () => {
    beforeEach(() => use('device', [34, 18]));

    it('get all of the smallest disk that can hold them', async () => {
      const { total, free, largest } = await backend.usage(signal);
      expect([total, free, largest]).to.deep.equal([48 * MiB, 48 * MiB, 32 * MiB]);
      const volume = await backend.ensure(one, signal);

      expect(volume).to.include({ bytes: 16 * MiB, allocatedBytes: 16 * MiB });
      expect(await deviceOf(one)).to.equal(`${ground.paths()[1]}p2`);
      expect(await backend.usage(signal)).to.include({ free: 32 * MiB, largest: 32 * MiB });
    });

    it('are refused where the sum would be enough, and no single disk is', async () => {
      await backend.ensure(sized('1', 20), signal);
      const error = await rejection(backend.ensure(sized('2', 17), signal));

      expect(error).to.be.instanceOf(NoSpaceError);
      expect(error.message).to.include('16Mi in one piece');
    });

    it('never share a disk with a partition of somebody else', async () => {
      await backend.usage(signal);
      const entry = 'start=4096, size=2048\n';
      await runCommand('sfdisk', ['-q', '--append', disk], undefined, entry);
      const { total, largest } = await backend.usage(signal);

      expect([total, largest]).to.deep.equal([16 * MiB, 16 * MiB]);
    });

    it('show the whole disk to their user', async () => {
      await backend.ensure(sized('1', 30), signal);
      const path = await backend.attach(sized('1', 30), signal);
      await scribble(path, 31 * MiB, 1);

      expect(await read(path, 4)).to.equal('\0\0\0\0');
    });
  });
});
