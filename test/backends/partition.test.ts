import { bytes, MiB } from '../../src/model/bytes.ts';
import { gptGround } from '../support/gpt-pool.ts';
import { needLoopDevices } from '../support/loop-pool.ts';
import { describeBackend } from './contract.ts';

describe('the backends that keep volumes in partitions', () => {
  before(function () {
    needLoopDevices(this);
  });

  const waived = {
    partition: { oldBytesWithNone: true, growth: true },
    device: { oldBytesWithNone: true, exactSizes: true, growth: true },
  } as const;
  for (const name of ['partition', 'device'] as const) {
    describeBackend(
      name,
      async () => {
        // Each has 32 MiB beside the table and the mark.
        const ground = await gptGround(name, [34, 34]);
        return {
          backend: ground.open(),
          ...{ total: bytes(64 * MiB), largest: bytes(32 * MiB) },
          reopen: () => ground.open(),
          reboot: () => ground.reboot(),
          allocatedFor: ground.plan().allocatedFor,
          cleanUp: () => ground.cleanUp(),
        };
      },
      waived[name],
    );
  }
});
