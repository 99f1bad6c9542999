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

  const kinds = {
    linear: {},
    thin: { type: 'thin', thin: { size: '64Mi' } },
  };
  for (const [kind, options] of Object.entries(kinds)) {
    const total = bytes((kind === 'linear' ? 72 : 64) * MiB);
    const pool = async () => ({
      ...{ backend: ground.open(options), total, largest: total },
      reopen: () => ground.open(options),
      reboot: () => ground.reboot(),
      allocatedFor: ground.plan(options).allocatedFor,
      cleanUp: () => ground.empty(),
    });
    describeBackend(`lvm (${kind})`, pool, {
      growth: true,
      ...(kind === 'linear' && { oldBytesWithNone: true }),
    });
  }
});
