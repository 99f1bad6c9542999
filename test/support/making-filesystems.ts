import { expect } from 'chai';
import { mkdir, mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytes, MiB } from '../../src/model/bytes.ts';
import { describeError, PermanentError } from '../../src/model/errors.ts';
import type { FsType, LocalVolume } from '../../src/model/volume.ts';
import { filesystemOn } from '../../src/platform/filesystem-on.ts';
import { filesystems } from '../../src/platform/filesystems.ts';
import { mountPointsBelow } from '../../src/platform/mount-points.ts';
import { runCommand, type RunCommand } from '../../src/platform/run-command.ts';
import { volumeFormatter } from '../../src/usecases/format-volume.ts';
import { dyingRun } from './dying-run.ts';
import { needLoopDevices } from './loop-pool.ts';
import { rejection } from './rejection.ts';

/** Options that show in what was made: a program, and a text that it says then. */
const shows: Readonly<
  Record<FsType, { options: readonly string[]; asks: readonly string[]; says: RegExp }>
> = {
  ext4: {
    options: ['-m', '3', '-I', '512', '-E', 'lazy_itable_init=0'],
    asks: ['dumpe2fs', '-h'],
    says: /Reserved block count: +[1-9][^]*\nInode size:\s+512\n/,
  },
  xfs: {
    options: ['-m', 'reflink=0', '-d', 'agcount=3'],
    asks: ['xfs_db', '-r', '-c', 'sb 0', '-c', 'print agcount'],
    says: /agcount = 3/,
  },
  btrfs: {
    options: ['--metadata', 'single', '--nodesize', '4096'],
    asks: ['btrfs', 'inspect-internal', 'dump-super'],
    says: /nodesize\s+4096/,
  },
};

/** Words that each program takes for an option, and then refuses. */
const wrong: Readonly<Record<FsType, { options: readonly string[]; says: string }>> = {
  ext4: { options: ['-b', '1000'], says: 'invalid block size' },
  xfs: { options: ['-b', 'size=1000'], says: 'power of 2' },
  btrfs: { options: ['--nodesize', '1000'], says: 'illegal nodesize' },
};

/** That each of them fits into; small, so that making it is quick. */
const sizes: Readonly<Record<FsType, number>> = { ext4: 16, btrfs: 112, xfs: 300 };

/** Real filesystems on loop devices, made as the agent makes them before a volume is Ready. */
export function describeMaking(types: readonly FsType[]): void {
  describe('making filesystems for new volumes', function () {
    this.timeout(120_000);
    const { signal } = new AbortController();
    let root: string;
    let device: string;
    let file: string;
    let now: LocalVolume;
    let reads: number;

    before(function () {
      needLoopDevices(this);
    });

    beforeEach(async () => {
      root = await mkdtemp(join(tmpdir(), 'berth-mkfs-'));
      file = join(root, 'disk');
      await writeFile(file, '');
      await truncate(file, 300 * MiB);
      device = (await runCommand('losetup', ['--find', '--show', file])).trim();
      now = aVolume({});
      reads = 0;
    });

    afterEach(async () => {
      await runCommand('umount', [join(root, 'pod')]).catch(() => undefined);
      await runCommand('losetup', ['--detach', device]);
      await rm(root, { recursive: true, force: true });
    });

    const aVolume = (spec: Partial<LocalVolume['spec']>): LocalVolume => ({
      ...{ name: 'pvc-1', uid: 'uid', resourceVersion: '1', published: false },
      ...{ deleting: false, heldByAgent: true, heldByControl: true, status: { phase: 'Pending' } },
      spec: {
        ...{ node: 'n1', pool: 'fast', bytes: bytes(MiB), fsType: 'ext4' },
        ...{ volumeMode: 'Filesystem', erase: 'none' },
        ...{ claimRef: { namespace: 'd', name: 'c', uid: 'u' } },
        ...spec,
      },
    });

    /** As the agent does it whose memory says that the volume is new. */
    const format = (spec: Partial<LocalVolume['spec']>, run: RunCommand = runCommand) =>
      volumeFormatter({
        volumes: {
          get: () => undefined,
          list: () => [],
          read: async () => {
            reads += 1;
            return now;
          },
          setStatus: async () => {},
          setHealth: async () => {},
          release: async () => {},
        },
        filesystems: filesystems(run, join(root, 'mounts')),
        log: { info: () => {}, warn: () => {}, error: () => {} },
        meter: { timed: (_, work) => work(), pools: () => {} },
      })(aVolume(spec), device, signal);

    const shrink = async (fsType: FsType): Promise<void> => {
      await truncate(file, sizes[fsType] * MiB);
      await runCommand('losetup', ['--set-capacity', device]);
    };
    const found = () => filesystemOn(device, runCommand);
    const noMounts = async (): Promise<void> =>
      void expect(await mountPointsBelow(join(root, 'mounts'))).to.deep.equal([]);

    async function mountForPod(): Promise<string> {
      const pod = join(root, 'pod');
      await mkdir(pod, { recursive: true });
      await runCommand('mount', [device, pod]);
      return pod;
    }

    for (const fsType of types) {
      const { options, asks, says } = shows[fsType];

      it(`makes the ${fsType} that the class asks for`, async () => {
        await format({ fsType, mkfsOptions: options });

        expect(await found()).to.equal(fsType);
        const [program = '', ...args] = asks;
        expect(await runCommand(program, [...args, device])).to.match(says);
        await mountForPod();
        await noMounts();
      });

      it(`makes ${fsType} whatever lay there before, be it the same`, async () => {
        for (const old of types) {
          await runCommand(`mkfs.${old}`, ['-q', device]);
          await format({ fsType, mkfsOptions: options });
          expect(await found()).to.equal(fsType);
          await runCommand('wipefs', ['--all', device]);
        }
      });

      it(`says what mkfs.${fsType} says of a value that it refuses`, async () => {
        const error = await rejection(format({ fsType, mkfsOptions: wrong[fsType].options }));

        expect(error).to.be.instanceOf(PermanentError);
        expect(error.message).to.include(`mkfs.${fsType}`).and.include(wrong[fsType].says);
        expect(await found()).to.equal(undefined);
      });

      it(`makes ${fsType} anew after an end at any step`, async () => {
        await shrink(fsType);
        let last = false;
        for (let steps = 1; !last; steps += 1) {
          for (const when of ['before', 'after'] as const) {
            const { run, died } = dyingRun(steps, when);
            await format({ fsType, mkfsOptions: options }, run).catch(() => undefined);
            await filesystems(runCommand, join(root, 'mounts')).unmountLeft();
            last = !died();
            await format({ fsType, mkfsOptions: options });
            expect(await found()).to.equal(fsType);
            await noMounts();
          }
        }
      });

      it(`makes a half made ${fsType} anew`, async () => {
        await runCommand(`mkfs.${fsType}`, ['-q', device]);
        const handle = await open(device, 'r+');
        await handle.write(Buffer.alloc(MiB, 7), 0, MiB, 2 * MiB);
        await handle.write(Buffer.alloc(4096), 0, 4096, 0);
        await handle.close();
        await format({ fsType, mkfsOptions: options });

        expect(await found()).to.equal(fsType);
        await mountForPod();
      });
    }

    it('shows kubelet nothing of an earlier filesystem, and makes none where it may', async () => {
      for (const old of types) {
        await runCommand(`mkfs.${old}`, ['-q', device]);
        await format({});

        expect(await found()).to.equal(undefined);
        // What kubelet does next.
        await runCommand('mkfs.ext4', ['-q', '-F', '-m0', device]);
        await runCommand('wipefs', ['--all', device]);
      }
    });

    it('makes none that nobody could mount, and leaves the device as it is', async () => {
      await runCommand('mkfs.ext4', ['-q', device]);
      const unknown = 'berthfs' as FsType;
      const error = await rejection(format({ fsType: unknown }));

      expect(error).to.be.instanceOf(PermanentError);
      expect(error.message).to.include('kernel').and.include('modprobe berthfs');
      expect(await found()).to.equal('ext4');
      await noMounts();
    });

    it('asks nobody about a blank device without options, and runs nothing', async () => {
      await format({}, () => Promise.reject(new Error('not to be run')));

      expect(reads).to.equal(0);
    });

    for (const [what, change] of Object.entries<Partial<LocalVolume>>({
      'was published': { published: true },
      'is Ready': { status: { phase: 'Ready' } },
      'is Lost': { status: { phase: 'Lost' } },
      'is another one': { uid: 'other' },
      'is being deleted': { deleting: true },
    })) {
      it(`touches nothing where the volume ${what}, whatever memory says`, async () => {
        await shrink('ext4');
        await runCommand('mkfs.ext4', ['-q', device]);
        const before = await readFile(file);
        now = { ...now, ...change };
        await format({ mkfsOptions: ['-m', '0'] });

        expect(reads).to.equal(1);
        expect((await readFile(file)).equals(before)).to.equal(true);
      });
    }

    it('touches nothing that is raw, or adopted', async () => {
      await shrink('ext4');
      await runCommand('mkfs.ext4', ['-q', device]);
      const before = await readFile(file);
      await format({ volumeMode: 'Block' });
      await format({ adopts: { name: 'pvc-0', volumeUid: 'old' } });

      expect(reads).to.equal(0);
      expect((await readFile(file)).equals(before)).to.equal(true);
    });

    it('touches nothing that is mounted', async () => {
      await shrink('ext4');
      await runCommand('mkfs.ext4', ['-q', device]);
      const pod = await mountForPod();
      await writeFile(join(pod, 'data'), 'kept');
      expect(await rejection(format({}))).to.not.be.instanceOf(PermanentError);

      expect(await readFile(join(pod, 'data'), 'utf8')).to.equal('kept');
      await runCommand('umount', [pod]);
      expect(await readFile(join(await mountForPod(), 'data'), 'utf8')).to.equal('kept');
    });

    it('waits for a program that an earlier agent has left', async () => {
      const left = runCommand('flock', [device, 'sleep', '1']);
      await runCommand('sh', ['-c', `until ! flock --nonblock ${device} true; do :; done`]);
      const error = await rejection(format({ mkfsOptions: ['-m', '0'] }));

      expect(error).to.not.be.instanceOf(PermanentError);
      expect(error.message).to.include('still writes');
      expect(await found()).to.equal(undefined);
      await left;
      await format({ mkfsOptions: ['-m', '0'] });
      expect(await found()).to.equal('ext4');
    });

    it('says where mkfs is not installed', async () => {
      const without: RunCommand = (program, args, ...rest) =>
        runCommand(
          program,
          args.map((word) => word.replace('mkfs.ext4', 'mkfs.nowhere')),
          ...rest,
        );
      const error = await rejection(format({ mkfsOptions: ['-m', '0'] }, without));

      expect(error).to.be.instanceOf(PermanentError);
      expect(error.message).to.include('mkfs.ext4 is not there');
    });

    it('is not content with what the kernel does not mount, or what is another filesystem', async () => {
      const sectors = { fsType: 'btrfs', mkfsOptions: ['-s', '65536'] } as const;
      const unmountable = await rejection(format(sectors));
      expect(unmountable).to.be.instanceOf(PermanentError);
      expect(describeError(unmountable)).to.include('does not mount').and.include('bad superblock');
      const other = await rejection(format({ mkfsOptions: ['-O', 'none'] }));
      expect(other).to.be.instanceOf(PermanentError);
      expect(other.message).to.include('ext2');
      await noMounts();
    });

    it('hands no word to a program that no class may give, whoever wrote the LocalVolume', async () => {
      const run: RunCommand = () => Promise.reject(new Error('not to be run'));
      for (const mkfsOptions of [['-F'], ['-d', '/etc'], ['-E', 'offset=4096'], []]) {
        const error = await rejection(format({ mkfsOptions }, run));
        expect(error).to.be.instanceOf(PermanentError);
        expect(error.message).to.include('mkfsOptions');
      }
    });
  });
}
