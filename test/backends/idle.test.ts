import { expect } from 'chai';
import { DiskOwners } from '../../src/backends/shared/disk-owners.ts';
import { openPool } from '../../src/backends/shared/open-pool.ts';
import type { DeclaredPool } from '../../src/backends/index.ts';
import { bytes, MiB } from '../../src/model/bytes.ts';
import { listDisks } from '../../src/platform/block-devices.ts';
import { rememberedDisks } from '../../src/platform/remembered-disks.ts';
import { runCommand, type RunCommand } from '../../src/platform/run-command.ts';
import { oneAtATime } from '../../src/usecases/one-at-a-time.ts';
import type { StorageBackend } from '../../src/usecases/ports.ts';
import { folderGround } from '../support/folder-pool.ts';
import { gptGround } from '../support/gpt-pool.ts';
import { volumeNamed } from '../support/identities.ts';
import { needLoopDevices } from '../support/loop-pool.ts';

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

  /** As the agent opens it, over the disks of this machine. */
  function opened(plan: DeclaredPool, runDir: string): StorageBackend {
    const own = new Set(plan.devices?.paths ?? []);
    const list = async () =>
      (await listDisks(run)()).map((disk) =>
        own.has(disk.path) ? { ...disk, type: 'disk' } : disk,
      );
    const disks = rememberedDisks(list, (kname) => own.has(`/dev/${kname}`));
    return openPool(
      plan,
      { pool: 'fast', runDir, run, now: Date.now, hasVolumes: () => false, inTurn: oneAtATime() },
      {
        disks,
        offeredAs: () => Promise.resolve(undefined),
        owners: new DiskOwners(() => true),
        takeInTurn: oneAtATime(),
      },
    );
  }

  async function newPool(backend: string): Promise<StorageBackend> {
    if (backend === 'partition' || backend === 'device') {
      const ground = await gptGround(backend, [96, 96]);
      ends.push(() => ground.cleanUp());
      return opened(ground.plan(), ground.runDir);
    }
    const ground = await (backend === 'btrfs'
      ? folderGround('btrfs', { size: '64Mi' }, { mkfs: ['mkfs.btrfs', '-q'] })
      : folderGround('directory', { size: '64Mi', enforcement: 'none' }));
    ends.push(() => ground.cleanUp());
    return opened(ground.plan(), ground.runDir);
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
