import { expect } from 'chai';
import { mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { backends } from '../../src/backends/index.ts';
import { MiB } from '../../src/model/bytes.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import type { StorageBackend } from '../../src/usecases/ports.ts';
import { ForeignVolumeError, PoolUnusableError } from '../../src/usecases/ports.ts';
import { dyingRun } from '../support/dying-run.ts';
import type { FolderGround } from '../support/folder-pool.ts';
import { sized, uidOf, volumeNamed } from '../support/identities.ts';
import { linksIn } from '../support/loop-pool.ts';
import { rejection } from '../support/rejection.ts';

/** What all pools promise whose volumes are directories, beside what every backend does. */
export function describeFolders(
  backend: 'btrfs' | 'directory',
  makeGround: () => Promise<FolderGround>,
): void {
  describe(`${backend} keeps the promises of folders`, () => {
    const { signal } = new AbortController();
    const one = sized('1', 4);
    const two = sized('2', 4);
    let ground: FolderGround;
    let pool: StorageBackend;
    const folder = (name: string) => join(ground.directory, name);

    beforeEach(async () => {
      ground = await makeGround();
      pool = ground.open();
    });

    afterEach(() => ground.cleanUp());

    async function made(volume = one): Promise<string> {
      await pool.ensure(volume, signal);
      return pool.attach(volume, signal);
    }

    const volumesOf = async (from: StorageBackend) => {
      const { volumes, strays } = await from.list(signal);
      expect(strays).to.deep.equal([]);
      return volumes.map(({ name }) => name);
    };

    it('gives a pod an empty directory of root, and nothing of what it is known by', async () => {
      const path = await made();

      expect(await readdir(path)).to.deep.equal([]);
      const { mode, uid } = await stat(path);
      expect([mode & 0o777, uid]).to.deep.equal([0o755, 0]);
      expect((await readdir(folder(one.name))).sort()).to.deep.equal(['data', 'volume.json']);
    });

    it('removes whatever a pod has left, and nothing outside', async () => {
      const path = await made();
      const outside = join(ground.root, 'outside');
      await mkdir(outside);
      await writeFile(join(outside, 'kept'), 'kept');
      await symlink(outside, join(path, 'link'));
      await symlink('../..', join(path, 'up'));
      await mkdir(join(path, ' -rf *\n'));
      await writeFile(Buffer.concat([Buffer.from(`${path}/`), Buffer.from([0xff, 0xfe])]), 'odd');
      await writeFile(join(path, 'fixed'), 'fixed');
      await runCommand('chattr', ['+i', join(path, 'fixed')]).catch(() => undefined);
      await made(two);
      await writeFile(join(await pool.attach(two, signal), 'own'), 'own');
      await pool.remove(one, 'zero', signal);

      expect(await readdir(outside)).to.deep.equal(['kept']);
      expect(await readFile(join(outside, 'kept'), 'utf8')).to.equal('kept');
      expect(await readFile(join(await pool.attach(two, signal), 'own'), 'utf8')).to.equal('own');
      expect(await readdir(ground.directory)).to.have.members([two.name, 'pool.json']);
    });

    it('is not removed, nor handed to others, while any part of it is mounted', async () => {
      const path = await made();
      await mkdir(join(path, 'part'));
      const mount = join(ground.root, 'mount');
      await mkdir(mount);
      await runCommand('mount', ['--bind', join(path, 'part'), mount]);
      try {
        const error = await rejection(pool.remove(one, 'discard', signal));
        expect(error.message).to.include('mounted at');
        await rejection(pool.adopt(one, two, signal));
        expect(await readdir(path)).to.deep.equal(['part']);
      } finally {
        await runCommand('umount', [mount]);
      }
      await pool.remove(one, 'discard', signal);
      expect(await linksIn(ground.runDir)).to.deep.equal({});
    });

    describe('after a kill at any step', () => {
      for (const when of ['before', 'after'] as const) {
        it(`(${when} it) a volume is there or not, and making it goes on`, async function () {
          this.timeout(60_000);
          let killed = true;
          for (let step = 1; killed; step += 1) {
            const dying = dyingRun(step, when);
            await ground
              .open({ run: dying.run })
              .ensure(one, signal)
              .catch(() => undefined);
            killed = dying.died();
            const next = ground.open();
            expect(await volumesOf(next)).to.have.length.at.most(1);
            await next.ensure(one, signal);
            expect(await readdir(await next.attach(one, signal))).to.deep.equal([]);
            await next.remove(one, 'none', signal);
            expect(await readdir(ground.directory)).to.deep.equal(['pool.json']);
          }
        });

        it(`(${when} it) a volume is whole or gone, and removing it goes on`, async function () {
          this.timeout(60_000);
          let killed = true;
          for (let step = 1; killed; step += 1) {
            await writeFile(join(await made(), 'file'), 'whole');
            const dying = dyingRun(step, when);
            await ground
              .open({ run: dying.run })
              .remove(one, 'none', signal)
              .catch(() => undefined);
            killed = dying.died();
            const next = ground.open();
            for (const name of await volumesOf(next)) {
              expect(await readFile(join(folder(name), 'data', 'file'), 'utf8')).to.equal('whole');
            }
            await next.remove(one, 'none', signal);
            expect((await next.usage(signal)).allocated).to.equal(0);
            expect(await readdir(ground.directory)).to.deep.equal(['pool.json']);
          }
        });
      }

      it('an adoption between record and name is finished, and nobody sees a stray', async () => {
        await writeFile(join(await made(), 'file'), 'kept');
        await pool.adopt(one, two, signal);
        await rename(folder(two.name), folder(one.name));
        const next = ground.open();

        expect(await volumesOf(next)).to.deep.equal([two.name]);
        expect(await readFile(join(folder(two.name), 'data', 'file'), 'utf8')).to.equal('kept');
      });
    });

    describe('strays', () => {
      it('are what has no whole record, or that of another name or pool', async () => {
        await made();
        await made(two);
        await writeFile(join(folder(one.name), 'volume.json'), '{"version":1}');
        const third = volumeNamed('3');
        await rename(folder(two.name), folder(third.name));
        await symlink(ground.root, folder(volumeNamed('4').name));
        const { strays, volumes } = await pool.list(signal);

        expect(volumes).to.deep.equal([]);
        const reasons = strays.map(({ reason }) => reason).join();
        expect(strays).to.have.length(3);
        expect(reasons).to.include('checksum').and.include('it is not a directory');
        expect(strays.find(({ name }) => name === third.name)?.says).to.deep.equal({
          name: two.name,
          volumeUid: two.volumeUid,
        });
        const asked = rejection(pool.find(one, signal));
        expect(await asked).to.be.instanceOf(ForeignVolumeError);
      });

      it('are removed by name, but for what is not of our making', async () => {
        await made();
        await writeFile(join(folder(one.name), 'volume.json'), 'damaged');
        await made(two);
        await writeFile(join(folder(two.name), 'volume.json'), 'damaged');
        await writeFile(join(folder(two.name), 'notes'), 'of somebody');
        const link = volumeNamed('4').name;
        await symlink(ground.root, folder(link));

        await pool.removeStray(one.name, 'discard', signal);
        for (const name of [two.name, link]) {
          const error = await rejection(pool.removeStray(name, 'discard', signal));
          expect(error).to.be.instanceOf(ForeignVolumeError);
          expect(error.message).to.include('by hand');
        }
        expect(await readdir(ground.directory)).to.have.members(['pool.json', two.name, link]);
      });
    });

    it('takes links away that lead to another volume or to none, and leaves those of others', async () => {
      await made();
      const inRun = (name: string) => join(ground.runDir, name);
      await symlink(join(folder(one.name), 'data'), inRun(two.name));
      await symlink(join(folder('pvc-gone'), 'data'), inRun('pvc-gone'));
      await symlink('/dev/loop99999', inRun('pvc-device'));
      await backends[backend].dropStaleLinks(ground.runDir, runCommand);

      expect(await linksIn(ground.runDir)).to.have.keys(one.name, 'pvc-device');
    });

    describe('a directory', () => {
      const unusable = async (change: Parameters<FolderGround['open']>[0]) => {
        const backend = ground.open(change);
        const errors = await Promise.all([
          rejection(backend.usage(signal)),
          rejection(backend.ensure(one, signal)),
          rejection(backend.remove(one, 'discard', signal)),
        ]);
        errors.forEach((error) => expect(error).to.be.instanceOf(PoolUnusableError));
        return errors[0].message;
      };

      it('of another pool is not used', async () => {
        await pool.usage(signal);
        expect(await unusable({ pool: 'slow' })).to.include('belongs to pool fast');
      });

      it('that lost its mark with its disk is not filled in its place', async () => {
        await made();
        await rm(join(ground.directory, 'pool.json'));
        expect(await unusable({ hasVolumes: true })).to.include('is its disk mounted?');
      });

      it('is not reached through a symbolic link', async () => {
        const link = join(ground.root, 'link');
        await symlink(ground.directory, link);
        expect(await unusable({ options: { directory: link } })).to.include('symbolic links');
      });
    });

    it('counts what is declared, and nothing it cannot read as room', async () => {
      await made();
      await made(two);
      await writeFile(join(folder(one.name), 'volume.json'), 'damaged');
      const { allocated, volumes } = await pool.usage(signal);

      expect(allocated).to.be.above(4 * MiB);
      expect(volumes).to.have.members([one.name, two.name]);
      const error = await rejection(pool.ensure({ ...two, volumeUid: uidOf('other') }, signal));
      expect(error).to.be.instanceOf(ForeignVolumeError);
    });
  });
}
