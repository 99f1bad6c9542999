import { expect } from 'chai';
import { bytes, MiB } from '../../src/model/bytes.ts';
import { PoolUnusableError } from '../../src/usecases/ports.ts';
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
