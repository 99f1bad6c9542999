import { expect } from 'chai';
import { bytes } from '../../../src/model/bytes.ts';
import { measurePool } from '../../../src/usecases/measure-pool.ts';
import type { PoolUsage, StorageBackend, ThinUsage } from '../../../src/usecases/ports.ts';

describe('measurePool', () => {
  const { signal } = new AbortController();
  const usage: PoolUsage = {
    ...{ total: bytes(200), allocated: bytes(60), free: bytes(140), largest: bytes(140) },
    volumes: ['pvc-1'],
  };
  const thin: ThinUsage = {
    ...{ physical: bytes(100), used: bytes(7), committed: bytes(60), overcommit: 2 },
    metadataUsed: 0.001,
  };

  const measure = async (more: Partial<PoolUsage>) => {
    const fails = async (): Promise<never> => {
      throw new Error('not asked');
    };
    const storage: StorageBackend = {
      usage: async () => ({ ...usage, ...more }),
      list: async () => ({ volumes: [], strays: [] }),
      ...{ find: fails, ensure: fails, grow: fails, adopt: fails, attach: fails },
      ...{ remove: fails, removeStray: fails },
    };
    const pool = { name: 'fast', backend: 'lvm', applies: true, storage };
    return (await measurePool(pool, () => undefined, signal)).standing;
  };

  it('tells what lies behind a thin pool in whole percents, never less than there is', async () => {
    expect((await measure({ thin })).thin).to.deep.equal({
      ...{ physical: 100, committed: 60, overcommit: 2 },
      ...{ usedPercent: 7, metadataUsedPercent: 1 },
    });
  });

  it('takes a thin pool without any room for a full one', async () => {
    const none = { ...thin, physical: bytes(0), used: bytes(0) };
    expect((await measure({ thin: none })).thin?.usedPercent).to.equal(100);
  });

  it('shows a pool that has a problem as unhealthy, with all that is known of it', async () => {
    const problem = 'its metadata is full';
    expect(await measure({ problem, thin })).to.deep.include({
      ...{ healthy: false, message: problem, free: 0, largest: 0, volumes: 0 },
    });
    expect((await measure({ problem, thin })).thin?.usedPercent).to.equal(7);
  });

  it('says nothing of it where there is none', async () => {
    expect(await measure({})).not.to.have.property('thin');
  });
});
