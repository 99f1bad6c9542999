import { expect } from 'chai';
import { readdir } from 'node:fs/promises';
import { bytes, MiB } from '../../src/model/bytes.ts';
import { NoSpaceError } from '../../src/model/errors.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import { PoolUnusableError } from '../../src/usecases/ports.ts';
import { sized } from '../support/identities.ts';
import { folderContent, folderGround, type FolderGround } from '../support/folder-pool.ts';
import { needLoopDevices } from '../support/loop-pool.ts';
import { rejection } from '../support/rejection.ts';
import { describeBackend } from './contract.ts';
import { describeFolders } from './folder-promises.ts';

const newGround = (): Promise<FolderGround> =>
  folderGround('directory', { size: '64Mi', enforcement: 'none' });

/** Project quotas need a kernel of their own: see test/vm/project-quota.test.ts. */
describe('the directory backend', () => {
  before(function () {
    needLoopDevices(this);
  });

  describeBackend(
    'directory without enforcement',
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

  describeFolders('directory', newGround);

  it('says aloud that nothing limits its volumes', async () => {
    const ground = await newGround();
    try {
      const { warnings } = await ground.open().usage(new AbortController().signal);
      expect(warnings?.join()).to.include('enforcement is none');
    } finally {
      await ground.cleanUp();
    }
  });

  it('is full where the filesystem has room and no inode, says so, and leaves nothing', async () => {
    const { signal } = new AbortController();
    const mkfs = ['mkfs.ext4', '-q', '-N', '32'] as const;
    const options = { size: '64Mi', enforcement: 'none' };
    const ground = await folderGround('directory', options, { mkfs });
    try {
      const backend = ground.open();
      expect((await backend.usage(signal)).free).to.equal(64 * MiB);
      const fill = 'i=0; while : >"$0/other-$i"; do i=$((i + 1)); done';
      await rejection(runCommand('sh', ['-c', fill, ground.directory]));
      const error = await rejection(backend.ensure(sized('1', 4), signal));

      expect(error).to.be.instanceOf(NoSpaceError);
      expect(error.message).to.include('inode').and.include(ground.directory);
      expect(await backend.list(signal)).to.deep.equal({ volumes: [], strays: [] });
      const left = (await readdir(ground.directory)).filter((name) => name.startsWith('pvc-'));
      expect(left).to.deep.equal([]);
    } finally {
      await ground.cleanUp();
    }
  });

  it('is unusable on a filesystem without project quota, and says what to do', async () => {
    const ground = await newGround();
    try {
      const backend = ground.open({ options: { enforcement: 'required' } });
      const error = await rejection(backend.usage(new AbortController().signal));
      expect(error).to.be.instanceOf(PoolUnusableError);
      expect(error.message).to.include('project quota').and.include('enforcement to none');
    } finally {
      await ground.cleanUp();
    }
  });
});
