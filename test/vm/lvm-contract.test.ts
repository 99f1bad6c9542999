import { bytes, MiB } from '../../src/model/bytes.ts';
import { describeBackend } from '../backends/contract.ts';
import { lvmGround, type LvmGround } from './lvm-ground.ts';

describe('the lvm backend, as any', () => {
  let ground: LvmGround;

  before(async () => {
    ground = await lvmGround();
    await ground.makeGroup({ 'ssd-a': 72 });
  });

  after(() => ground.cleanUp());

  // A guest takes minutes for these: thin volumes have tests of what is different about them.
  const pool = async () => ({
    ...{ backend: ground.open({}), total: bytes(72 * MiB), largest: bytes(72 * MiB) },
    reopen: () => ground.open({}),
    reboot: () => ground.reboot(),
    allocatedFor: ground.plan({}).allocatedFor,
    cleanUp: () => ground.empty(),
  });
  describeBackend('lvm', pool, { oldBytesWithNone: true });
});
