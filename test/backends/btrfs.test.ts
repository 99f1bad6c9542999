import { bytes, MiB } from '../../src/model/bytes.ts';
import { folderContent, folderGround, type FolderGround } from '../support/folder-pool.ts';
import { needLoopDevices } from '../support/loop-pool.ts';
import { describeBackend } from './contract.ts';

const newGround = (): Promise<FolderGround> =>
  folderGround('btrfs', { size: '64Mi' }, { mkfs: ['mkfs.btrfs', '-q'], mebibytes: 512 });

describe('the btrfs backend', function () {
  this.timeout(30_000);

  before(function () {
    needLoopDevices(this);
  });

  describeBackend('btrfs', async () => {
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
  });
});
