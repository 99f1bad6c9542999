import { expect } from 'chai';
import { join } from 'node:path';

import { parsePoolSpec } from '../../src/backends/index.ts';
import { DiskOwners } from '../../src/backends/shared/disk-owners.ts';
import { poolDisks } from '../../src/backends/shared/pool-disks.ts';
import { PermanentError } from '../../src/model/errors.ts';
import { listDisks, lookAtDisk } from '../../src/platform/block-devices.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import { oneAtATime } from '../../src/usecases/one-at-a-time.ts';
import { PoolUnusableError } from '../../src/usecases/ports.ts';
import { sized } from '../support/identities.ts';
import { loopDisks, type LoopDisks } from '../support/loop-disks.ts';
import { loopGround, needLoopDevices } from '../support/loop-pool.ts';
import { rejection } from '../support/rejection.ts';
import { agentWith, encryptedVolume } from '../vm/luks-ground.ts';

const { signal } = new AbortController();
const hasMapper = await runCommand('dmsetup', ['version']).then(
  () => true,
  () => false,
);

/** Where there is one, the guest takes it away: test/vm/modules.test.ts. */
if (!hasMapper) {
  describe('on a node whose kernel has no device mapper', () => {
    before(function () {
      needLoopDevices(this);
    });

    describe('a pool of logical volumes', () => {
      let disks: LoopDisks;

      beforeEach(async () => {
        disks = await loopDisks();
      });

      afterEach(() => disks.cleanUp());

      for (const lvm of [{}, { type: 'mirrored' }, { type: 'thin' }]) {
        it(`${lvm.type ?? 'linear'}, is unusable, says why, and takes no disk`, async () => {
          const disk = await disks.add(34);
          const devices = { paths: [disk] };
          const plan = parsePoolSpec({ backend: 'lvm', lvm, devices });
          if (!plan.ok) throw new Error(plan.error);
          const backend = plan.value.open({
            ...{ pool: 'fast', runDir: join(disks.root, 'run'), run: runCommand, now: () => 0 },
            ...{ hasVolumes: () => false, inTurn: oneAtATime() },
            disks: poolDisks('fast', devices, {
              disks: { now: listDisks(runCommand), present: listDisks(runCommand) },
              ...{ lookAt: lookAtDisk(runCommand), owners: new DiskOwners(() => true) },
              ...{ offeredAs: () => Promise.resolve(undefined), takeInTurn: oneAtATime() },
            }),
          });
          const wanted = sized('1', 4);

          for (const call of [backend.usage(signal), backend.ensure(wanted, signal)]) {
            const error = await rejection(call);
            expect(error).to.be.instanceOf(PoolUnusableError);
            expect(error.message).to.include(`lvm.type is ${lvm.type ?? 'linear'}`);
            expect(error.message).to.include('modprobe dm_mod');
          }
          expect((await disks.content(disk)).every((byte) => byte === 0)).to.equal(true);
        });
      }
    });

    it('an encrypted volume is refused before anything is made of it', async () => {
      const ground = await loopGround();
      try {
        const plain = ground.open();
        const volume = encryptedVolume('one');
        const storage = agentWith(ground.runDir).ofVolume(volume, plain);
        const wanted = { name: volume.name, volumeUid: volume.uid, bytes: volume.spec.bytes };
        const error = await rejection(storage.ensure(wanted, signal));

        expect(error).to.be.instanceOf(PermanentError);
        expect(error.message).to.include('encrypted').and.include('modprobe dm_mod');
        expect((await plain.list(signal)).volumes).to.deep.equal([]);
      } finally {
        await ground.cleanUp();
      }
    });
  });
}
