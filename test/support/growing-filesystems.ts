import { expect } from 'chai';
import { mkdir, mkdtemp, readFile, rm, statfs, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MiB } from '../../src/model/bytes.ts';
import { filesystems } from '../../src/platform/filesystems.ts';
import { mountPointsBelow } from '../../src/platform/mount-points.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import { needLoopDevices } from './loop-pool.ts';
import { rejection } from './rejection.ts';

type FilesystemType = 'ext4' | 'xfs' | 'btrfs';

/** A filesystem that it can be made in, and one that it grows to, in MiB. */
const sizes = { ext4: [64, 256], xfs: [320, 480], btrfs: [128, 320] } as const;

/** Real filesystems on loop devices that become larger, in use and not. */
export function describeGrowing(types: readonly FilesystemType[]): void {
  describe('growing filesystems', function () {
    this.timeout(60_000);
    const { signal } = new AbortController();
    let root: string;
    let device: string;
    let file: string;

    before(function () {
      needLoopDevices(this);
    });

    beforeEach(async () => {
      root = await mkdtemp(join(tmpdir(), 'berth-fs-'));
      file = join(root, 'disk');
      await writeFile(file, '');
    });

    afterEach(async () => {
      await runCommand('umount', [join(root, 'pod')]).catch(() => undefined);
      await runCommand('losetup', ['--detach', device]).catch(() => undefined);
      await rm(root, { recursive: true, force: true });
    });

    const grower = () => filesystems(runCommand, join(root, 'mounts'));

    async function attach(mebibytes: number): Promise<void> {
      await truncate(file, mebibytes * MiB);
      device = (await runCommand('losetup', ['--find', '--show', file])).trim();
    }

    async function enlarge(mebibytes: number): Promise<void> {
      await truncate(file, mebibytes * MiB);
      await runCommand('losetup', ['--set-capacity', device]);
    }

    async function mountForPod(): Promise<string> {
      const pod = join(root, 'pod');
      await mkdir(pod, { recursive: true });
      await runCommand('mount', [device, pod]);
      return pod;
    }

    const sizeOf = async (path: string): Promise<number> => {
      const { bsize, blocks } = await statfs(path);
      return bsize * blocks;
    };

    for (const type of types) {
      const [before, after] = sizes[type];
      it(`fills the device while ${type} is in use, and when it is not`, async () => {
        await attach(before);
        await runCommand(`mkfs.${type}`, ['-q', device]);
        const pod = await mountForPod();
        await writeFile(join(pod, 'data'), 'kept');
        await enlarge(after - 32);
        await grower().grow(device, signal);
        await grower().grow(device, signal);

        expect(await sizeOf(pod)).to.be.above((before + 32) * MiB);
        expect(await readFile(join(pod, 'data'), 'utf8')).to.equal('kept');
        const used = await sizeOf(pod);
        await runCommand('umount', [pod]);
        await enlarge(after);
        await grower().grow(device, signal);
        await mountForPod();
        expect(await sizeOf(pod)).to.be.above(used + 16 * MiB);
        expect(await readFile(join(pod, 'data'), 'utf8')).to.equal('kept');
        expect(await mountPointsBelow(join(root, 'mounts'))).to.deep.equal([]);
      });
    }

    it('leaves a blank device and a directory as they are', async () => {
      await attach(16);
      await grower().grow(device, signal);
      await grower().grow(root, signal);

      expect((await readFile(file)).every((byte) => byte === 0)).to.equal(true);
    });

    it('says so where what is there cannot grow, and leaves no mount behind', async () => {
      await attach(16);
      await runCommand('mkswap', [device]);

      expect((await rejection(grower().grow(device, signal))).message).to.include('swap');
      expect(await mountPointsBelow(join(root, 'mounts'))).to.deep.equal([]);
    });

    it('unmounts what an agent has left that was killed', async () => {
      await attach(128);
      await runCommand('mkfs.btrfs', ['-q', device]);
      const left = join(root, 'mounts', 'left');
      await mkdir(left, { recursive: true });
      await runCommand('mount', [device, left]);
      await grower().unmountLeft();

      expect(await mountPointsBelow(join(root, 'mounts'))).to.deep.equal([]);
    });
  });
}
