import { expect } from 'chai';
import { mkdir, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MiB } from '../../src/model/bytes.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import { PoolUnusableError } from '../../src/usecases/ports.ts';
import { folderGround, type FolderGround } from '../support/folder-pool.ts';
import { sized } from '../support/identities.ts';
import { rejection } from '../support/rejection.ts';
import { blankDisk, diskOfGuest } from './ground.ts';

const filesystems = {
  xfs: { mkfs: ['mkfs.xfs', '-q', '-f'], remedy: 'prjquota' },
  ext4: { mkfs: ['mkfs.ext4', '-q', '-F', '-O', 'quota,project'], remedy: 'tune2fs' },
} as const;

for (const [name, { mkfs, remedy }] of Object.entries(filesystems)) {
  describe(`the directory backend on ${name} with project quota`, function () {
    this.timeout(120_000);
    const { signal } = new AbortController();
    const one = sized('1', 4);
    const two = sized('2', 8);
    let ground: FolderGround;

    const newGround = async (mountOptions = 'prjquota'): Promise<FolderGround> => {
      const device = await diskOfGuest('ssd-a');
      return folderGround('directory', { size: '64Mi' }, { mkfs, device, mountOptions });
    };

    after(() => blankDisk('ssd-a'));

    describe('keeps volumes to their size', () => {
      beforeEach(async () => {
        ground = await newGround();
      });

      afterEach(() => ground.cleanUp());

      const fill = (path: string, mebibytes: number) =>
        // As root of a container: ext4 lets those with CAP_SYS_RESOURCE past every limit.
        runCommand('setpriv', [
          ...['--bounding-set', '-sys_resource', 'dd', 'if=/dev/zero'],
          ...[`of=${path}/fill`, 'bs=1M', `count=${mebibytes}`],
        ]);

      async function projectOf(volume: string): Promise<number> {
        const text = await readFile(join(ground.directory, volume, 'volume.json'), 'utf8');
        return (JSON.parse(text) as { quotaId: number }).quotaId;
      }

      async function expectLimit(path: string): Promise<void> {
        const error = await rejection(fill(path, 6));
        expect(error.message).to.match(/No space left|Disk quota exceeded/);
        await rm(`${path}/fill`);
        await fill(path, 3);
        await rm(`${path}/fill`);
      }

      it('against root too, in folders of its own too, and shows the size to df', async () => {
        const backend = ground.open();
        await backend.ensure(one, signal);
        const path = await backend.attach(one, signal);
        await mkdir(`${path}/deep`);

        await expectLimit(path);
        await expectLimit(`${path}/deep`);
        const { bsize, blocks } = await statfs(path);
        expect(bsize * blocks).to.equal(4 * MiB);
        // What it promised and did not use stays free for nobody else, what it used is gone.
        await fill(path, 3);
        expect((await backend.usage(signal)).free).to.equal(60 * MiB);
      });

      it('after a reboot, and gives a limit back that somebody took away', async () => {
        const backend = ground.open();
        await backend.ensure(one, signal);
        const path = await backend.attach(one, signal);
        await ground.reboot();
        const next = ground.open({ hasVolumes: true });
        expect(await next.attach(one, signal)).to.equal(path);
        await expectLimit(path);

        const id = await projectOf(one.name);
        const off = ['-x', '-f', '-c', `limit -p bhard=0 ${id}`, ground.directory];
        await runCommand('xfs_quota', off);
        await fill(path, 6);
        await rm(`${path}/fill`);
        await next.usage(signal);
        await expectLimit(path);
      });

      it('with a project that nobody else has, and that is free again afterwards', async () => {
        // Somebody else's files carry the first number already.
        const other = join(ground.directory, 'of-others');
        await mkdir(other);
        await runCommand('chattr', ['-p', String(2 ** 30), '+P', other]);
        await writeFile(join(other, 'file'), 'x'.repeat(5000));
        const backend = ground.open();
        await backend.ensure(one, signal);
        await backend.ensure(two, signal);
        const ids = [await projectOf(one.name), await projectOf(two.name)];
        expect(ids).to.deep.equal([2 ** 30 + 1, 2 ** 30 + 2]);

        await fill(await backend.attach(two, signal), 1);
        await backend.remove(one, 'discard', signal);
        await backend.ensure(one, signal);
        expect(await projectOf(one.name)).to.equal(2 ** 30 + 1);
        await backend.remove(one, 'discard', signal);
        await backend.remove(two, 'discard', signal);
        const report = ['-x', '-f', '-c', 'report -p -n -N -b', ground.directory];
        expect(await runCommand('xfs_quota', report)).not.to.match(/#107374182[56]\s.*[1-9].*00 /);
      });

      it('overwrites the files of a volume before it removes them', async () => {
        const backend = ground.open();
        await backend.ensure(one, signal);
        const path = await backend.attach(one, signal);
        await writeFile(`${path}/secret`, 'secret');
        await runCommand('chattr', ['+i', `${path}/secret`]);
        await runCommand('ln', ['-s', '/etc/hostname', `${path}/link`]);
        const before = await readFile('/etc/hostname', 'utf8');

        expect(await backend.remove(one, 'zero', signal)).to.match(/4Mi: 1 files overwritten/);
        expect(await readFile('/etc/hostname', 'utf8')).to.equal(before);
      });
    });

    it('says what is missing where the filesystem is mounted without', async () => {
      ground = await newGround('');
      try {
        const error = await rejection(ground.open().usage(signal));
        expect(error).to.be.instanceOf(PoolUnusableError);
        expect(error.message).to.include(remedy).and.include('prjquota');
        expect(error.message).to.include('directory.enforcement to none');
        const { warnings = [] } = await ground
          .open({ options: { enforcement: 'none' } })
          .usage(signal);
        expect(warnings.join()).to.include('enforcement is none');
      } finally {
        await ground.cleanUp();
      }
    });
  });
}
