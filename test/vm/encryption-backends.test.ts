import { expect } from 'chai';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { bytes, MiB } from '../../src/model/bytes.ts';
import { deviceChains } from '../../src/platform/health/block-chain.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import type { StorageBackend } from '../../src/usecases/ports.ts';
import { gptGround } from '../support/gpt-pool.ts';
import { agentWith, closeAll, encryptedVolume, inUse, openVolumes } from './luks-ground.ts';
import { lvmGround } from './lvm-ground.ts';

const { signal } = new AbortController();
const text = 'what only the pod may read';

interface Ground {
  readonly runDir: string;
  /** As a new agent would open it. */
  readonly open: () => StorageBackend;
  reboot(): Promise<void>;
  cleanUp(): Promise<void>;
}

async function logical(lvm: Readonly<Record<string, unknown>>): Promise<Ground> {
  const ground = await lvmGround();
  await ground.makeGroup({ 'ssd-a': 192, 'ssd-b': 192 });
  return { ...ground, open: () => ground.open(lvm) };
}

/** Of what else than loop images encrypted volumes are made, and whether those grow. */
const kinds: readonly [name: string, prepare: () => Promise<Ground>, grows: boolean][] = [
  ['linear logical volumes', () => logical({ type: 'linear' }), true],
  ['striped logical volumes', () => logical({ type: 'striped', stripes: 2 }), true],
  ['mirrored logical volumes', () => logical({ type: 'mirrored' }), true],
  ['thin logical volumes', () => logical({ type: 'thin', thin: { size: '128Mi' } }), true],
  ['partitions', () => gptGround('partition', [128]), false],
  ['whole disks', () => gptGround('device', [128]), false],
];

describe('encrypted volumes', function () {
  this.timeout(120_000);
  const volume = encryptedVolume('one');
  const identity = { name: volume.name, volumeUid: volume.uid };

  before(async () => {
    await runCommand('modprobe', ['--all', 'loop', 'dm-mod', 'dm-crypt', 'dm-raid', 'ext4']);
  });

  for (const [kind, prepare, grows] of kinds) {
    describe(`of ${kind}`, () => {
      let ground: Ground;
      let point: string;

      beforeEach(async () => {
        ground = await prepare();
        point = `${ground.runDir}.point`;
        await mkdir(point);
      });

      afterEach(async () => {
        await closeAll();
        await rm(point, { recursive: true });
        await ground.cleanUp();
      });

      /** What a new agent has of the volume. */
      const storageOf = (one = inUse(volume)): StorageBackend =>
        agentWith(ground.runDir).ofVolume(one, ground.open());

      async function make(): Promise<string> {
        const fresh = storageOf(volume);
        await fresh.ensure({ ...identity, bytes: volume.spec.bytes }, signal);
        return fresh.attach(identity, signal);
      }

      async function mounted<T>(path: string, work: () => Promise<T>): Promise<T> {
        await runCommand('mount', [path, point]);
        try {
          return await work();
        } finally {
          await runCommand('umount', [point]);
        }
      }

      it('keep what is in them over a reboot, and are erased by their keys', async () => {
        const path = await make();
        await runCommand('mkfs.ext4', ['-q', path]);
        await mounted(path, () => writeFile(join(point, 'file'), text));
        const { devices, isCut } = await deviceChains().below(path);
        expect(isCut || devices.length < 2, 'ways down that cannot be seen').to.equal(false);
        await closeAll();
        await ground.reboot();

        expect(await storageOf().attach(identity, signal)).to.equal(path);
        const content = await mounted(path, () => readFile(join(point, 'file'), 'utf8'));
        expect(content).to.equal(text);
        expect(await storageOf().remove(identity, 'discard', signal)).to.contain('keys destroyed');
        expect(await openVolumes()).to.deep.equal([]);
        expect((await ground.open().list(signal)).volumes).to.deep.equal([]);
      });

      if (grows) {
        it('grow under their filesystem while it is in use', async () => {
          const path = await make();
          const larger = bytes(volume.spec.bytes + 24 * MiB);
          await runCommand('mkfs.ext4', ['-q', path]);
          await mounted(path, async () => {
            await writeFile(join(point, 'file'), text);
            const grown = await storageOf().grow({ ...identity, bytes: larger }, signal);
            await runCommand('resize2fs', [path]);
            expect(grown.bytes).to.be.at.least(larger);
          });
          expect(Number(await runCommand('blockdev', ['--getsize64', path]))).to.be.at.least(
            larger,
          );
          await closeAll();
          await ground.reboot();

          await storageOf().attach(identity, signal);
          expect(Number(await runCommand('blockdev', ['--getsize64', path]))).to.be.at.least(
            larger,
          );
          const content = await mounted(path, () => readFile(join(point, 'file'), 'utf8'));
          expect(content).to.equal(text);
        });
      }
    });
  }
});
