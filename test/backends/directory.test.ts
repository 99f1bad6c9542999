import { bytes, MiB } from '../../src/model/bytes.ts';
import { folderContent, folderGround } from '../support/folder-pool.ts';
import { describeBackend } from './contract.ts';

describe('the directory backend', () => {
  describeBackend('directory without enforcement', async () => {
    const ground = await folderGround('directory', { size: '64Mi', enforcement: 'none' });
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
