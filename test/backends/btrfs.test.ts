import { expect } from 'chai';
import { rm } from 'node:fs/promises';
import { bytes, KiB, MiB } from '../../src/model/bytes.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import { PoolUnusableError, type StorageBackend } from '../../src/usecases/ports.ts';
import { folderContent, folderGround, type FolderGround } from '../support/folder-pool.ts';
import { needLoopDevices } from '../support/loop-pool.ts';
import { sized } from '../support/identities.ts';
import { rejection } from '../support/rejection.ts';
import { describeBackend } from './contract.ts';
import { describeFolders } from './folder-promises.ts';

const newGround = (): Promise<FolderGround> =>
  folderGround('btrfs', { size: '64Mi' }, { mkfs: ['mkfs.btrfs', '-q'] });

describe('the btrfs backend', function () {
  this.timeout(30_000);

  before(function () {
    needLoopDevices(this);
  });

  describeBackend(
    'btrfs',
    async () => {
      const ground = await newGround();
      return {
        backend: ground.open(),
        ...{ total: bytes(64 * MiB), largest: bytes(64 * MiB) },
        reopen: () => ground.open(),
        reboot: () => ground.reboot(),
        allocatedFor: ground.plan().allocatedFor,
        content: folderContent,
        cleanUp: () => ground.cleanUp(),
      };
    },
    { openDevice: true },
  );

  describeFolders('btrfs', newGround);

  describe('btrfs', () => {
    const { signal } = new AbortController();
    const one = sized('1', 8);
    let ground: FolderGround;
    let pool: StorageBackend;

    beforeEach(async () => {
      ground = await newGround();
      pool = ground.open();
    });

    afterEach(() => ground.cleanUp());

    const run = (...args: string[]) => runCommand('btrfs', args);

    async function made(): Promise<string> {
      await pool.ensure(one, signal);
      return pool.attach(one, signal);
    }

    const fill = (path: string) =>
      runCommand('dd', ['if=/dev/zero', `of=${path}/fill`, 'bs=1M', 'count=12', 'conv=fsync']);

    it('keeps a volume to its size, also after a reboot and after quota was off', async () => {
      const path = await made();
      expect((await rejection(fill(path))).message).to.include('quota');
      await rm(`${path}/fill`);
      await ground.reboot();
      pool = ground.open({ hasVolumes: true });
      await pool.attach(one, signal);
      expect((await rejection(fill(path))).message).to.include('quota');
      await rm(`${path}/fill`);

      await run('quota', 'disable', ground.directory);
      await rejection(pool.usage(signal));
      await pool.usage(signal);
      expect((await rejection(fill(path))).message).to.include('quota');
    });

    it('holds back what was promised and not used yet', async () => {
      const before = (await ground.open({ options: { size: undefined } }).usage(signal)).free;
      const path = await made();
      await runCommand('dd', ['if=/dev/zero', `of=${path}/half`, 'bs=1M', 'count=4', 'conv=fsync']);
      await runCommand('sync', ['-f', path]);
      const after = (await ground.open({ options: { size: undefined } }).usage(signal)).free;

      expect(before - after).to.be.within(8 * MiB - 64 * KiB, 10 * MiB);
    });

    it('tells of subvolumes that a pod has made, and removes them with the volume', async () => {
      const path = await made();
      await run('subvolume', 'create', `${path}/own`);
      await run('subvolume', 'create', `${path}/own/deep\nID 5 gen 1 top level 5 path x`);
      await run('subvolume', 'snapshot', '-r', path, `${path}/own/snapshot`);
      const { warnings } = await pool.usage(signal);
      expect(warnings?.join()).to.match(/holds [3-9] subvolumes of its own/);

      await pool.remove(one, 'discard', signal);
      expect(await run('subvolume', 'list', ground.directory)).to.equal('');
      expect(await run('qgroup', 'show', ground.directory)).not.to.include('data');
    });

    it('says of zeros what they are worth', async () => {
      await made();
      expect(await pool.remove(one, 'zero', signal)).to.include('8Mi not overwritten');
    });

    it('is used on btrfs alone', async () => {
      await ground.unmount();
      const error = await rejection(pool.usage(signal));
      expect(error).to.be.instanceOf(PoolUnusableError);
      expect(error.message).to.include('not btrfs');
      await ground.mount();
    });
  });
});
