import { rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { bytes, MiB } from '../../src/model/bytes.ts';
import { deviceChains } from '../../src/platform/health/block-chain.ts';
import { rememberedChains } from '../../src/platform/health/remembered-chains.ts';
import { runCommand, type RunCommand } from '../../src/platform/run-command.ts';
import type { StorageBackend } from '../../src/usecases/ports.ts';
import { folderGround } from '../support/folder-pool.ts';
import { gptGround } from '../support/gpt-pool.ts';
import { volumeNamed } from '../support/identities.ts';
import { loopDisks } from '../support/loop-disks.ts';
import { needLoopDevices } from '../support/loop-pool.ts';
import { openedAsByAgent } from '../support/opened-pool.ts';

/** LVM needs a kernel of its own: see test/vm. */
describe('an idle pool', () => {
  const signal = new AbortController().signal;
  const ends: (() => Promise<unknown>)[] = [];
  const first = volumeNamed('first');
  let programs: string[];

  before(function () {
    needLoopDevices(this);
  });
  beforeEach(() => {
    programs = [];
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) {
      await end();
    }
  });

  const run: RunCommand = (program, ...rest) => {
    programs.push(program);
    return runCommand(program, ...rest);
  };

  async function newPool(backend: string): Promise<StorageBackend> {
    if (backend === 'partition' || backend === 'device') {
      const ground = await gptGround(backend, [96, 96]);
      ends.push(() => ground.cleanUp());
      return openedAsByAgent(ground.plan(), ground.runDir, run);
    }
    const ground = await (backend === 'btrfs'
      ? folderGround('btrfs', { size: '64Mi' }, { mkfs: ['mkfs.btrfs', '-q'] })
      : folderGround('directory', { size: '64Mi', enforcement: 'none' }));
    ends.push(() => ground.cleanUp());
    return openedAsByAgent(ground.plan(), ground.runDir, run);
  }

  const look = async (pool: StorageBackend) => {
    const usage = await pool.usage(signal);
    return { usage, volumes: (await pool.list(signal)).volumes };
  };

  for (const backend of ['partition', 'device', 'btrfs', 'directory']) {
    it(`starts no program, and shows at once what is made and removed (${backend})`, async () => {
      const pool = await newPool(backend);
      // The first look makes the pool, by which its filesystem changes.
      await look(pool);
      const { usage: empty } = await look(pool);
      programs = [];
      const same = await look(pool);
      expect(programs, 'while nothing happens').to.deep.equal([]);
      expect(same.usage).to.deep.equal(empty);

      await pool.ensure({ ...first, bytes: bytes(20 * MiB) }, signal);
      await pool.attach(first, signal);
      const { usage, volumes } = await look(pool);
      expect(usage.volumes).to.deep.equal([first.name]);
      expect(volumes.map(({ name }) => name)).to.deep.equal([first.name]);
      expect(usage.free).to.be.lessThan(empty.free);
      await look(pool);
      programs = [];
      await look(pool);
      expect(programs, 'with a volume').to.deep.equal([]);

      await pool.remove(first, 'discard', signal);
      expect((await look(pool)).usage.volumes).to.deep.equal([]);
    });
  }
});

describe('what lies below a volume', () => {
  before(function () {
    needLoopDevices(this);
  });

  it('is looked at once while its device stays, and again when it is another', async () => {
    const disks = await loopDisks();
    try {
      const asked: string[] = [];
      let time = 0;
      const chains = rememberedChains(
        {
          below: async (path) => {
            asked.push(path);
            return deviceChains().below(path);
          },
        },
        () => time,
      );
      const link = join(disks.root, 'volume');
      await symlink(await disks.add(8), link);
      const first = await chains.below(link);
      time += 10_000;
      expect(await chains.below(link)).to.deep.equal(first);
      expect(asked).to.have.lengthOf(1);

      await rm(link);
      await symlink(await disks.add(8), link);
      const second = await chains.below(link);
      expect(second.tops).not.to.deep.equal(first.tops);

      time += 180_000;
      await chains.below(link);
      expect(asked).to.have.lengthOf(3);
    } finally {
      await disks.cleanUp();
    }
  });

  it('is looked at each time where it is no device', async () => {
    let asked = 0;
    const chain = { devices: [], tops: [], isCut: true };
    const chains = rememberedChains({ below: async () => ((asked += 1), chain) }, () => 0);
    await chains.below('/nonexistent');
    await chains.below('/');
    await chains.below('/');

    expect(asked).to.equal(3);
  });
});
