import { expect } from 'chai';
import { readdir, rm, writeFile } from 'node:fs/promises';

import { whyNotBlank } from '../../src/platform/blank.ts';
import { ifThere } from '../../src/platform/files.ts';
import { isKnownFilesystem } from '../../src/platform/known-filesystems.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import { PoolUnusableError } from '../../src/usecases/ports.ts';
import { diskBytes } from '../guest/disks.ts';
import { rejection } from '../support/rejection.ts';
import { blankDisk, diskOfGuest } from './ground.ts';
import { lvmGround, request, type LvmGround } from './lvm-ground.ts';
import { agentWith, encryptedVolume } from './luks-ground.ts';

const { signal } = new AbortController();
const rules = '/etc/modprobe.d/berth-test.conf';

/** The kernel, and programs that load modules, do not find this one from here on. */
async function without(module: string): Promise<void> {
  await unload(module);
  await writeFile(rules, `install ${module} /bin/false\n`);
}

async function unload(module: string): Promise<void> {
  const holders = await ifThere(readdir(`/sys/module/${module}/holders`));
  for (const each of holders ?? []) await unload(each);
  if (holders !== undefined) await runCommand('rmmod', [module]);
}

describe('on a node whose kernel lacks a module', () => {
  let ground: LvmGround;

  beforeEach(async () => {
    ground = await lvmGround();
  });

  afterEach(async () => {
    await rm(rules, { force: true });
    await ground.cleanUp();
    await blankDisk('ssd-c');
  });

  const cases = [
    ['dm_mod', 'linear'],
    ['dm_raid', 'mirrored'],
    ['dm_thin_pool', 'thin'],
  ] as const;
  for (const [module, type] of cases) {
    it(`${module}: a pool of type ${type} takes no disk, says why, and works as soon as it is there`, async () => {
      const disk = await diskOfGuest('ssd-c');
      // The others do not need it.
      await runCommand('modprobe', ['dm_mod']);
      await without(module);
      const backend = ground.open({ type }, { devices: { paths: [disk] } });
      for (const call of [
        () => backend.usage(signal),
        () => backend.ensure(request('1', 4), signal),
      ]) {
        const error = await rejection(call());
        expect(error.message).to.include(`modprobe ${module}`).and.include(type);
        expect(error).to.be.instanceOf(PoolUnusableError);
      }
      expect(await whyNotBlank(disk, diskBytes)).to.equal(undefined);

      await rm(rules);
      expect((await backend.usage(signal)).disks).to.have.length(1);
    });
  }

  it('dm_mod: volumes that are there are known, not used, and come back with it', async () => {
    await ground.makeGroup({ 'ssd-c': 32 });
    await ground.open().ensure(request('1', 4), signal);
    await ground.reboot();
    await without('dm_mod');
    const backend = ground.open();
    expect((await backend.list(signal)).volumes).to.have.length(1);
    const error = await rejection(backend.attach(request('1', 4), signal));
    expect(error.message).to.include('modprobe dm_mod');
    expect((await rejection(backend.usage(signal))).message).to.include('modprobe dm_mod');
    await rejection(backend.remove(request('1', 4), 'zero', signal));

    await rm(rules);
    await backend.attach(request('1', 4), signal);
    expect((await backend.usage(signal)).volumes).to.have.length(1);
  });

  it('dm_crypt: an encrypted volume is refused before anything is made of it', async () => {
    await ground.makeGroup({ 'ssd-c': 32 });
    const plain = ground.open();
    await plain.usage(signal);
    await without('dm_crypt');
    const volume = encryptedVolume('one');
    const storage = agentWith(ground.runDir).ofVolume(volume, plain);
    const wanted = { name: volume.name, volumeUid: volume.uid, bytes: volume.spec.bytes };

    expect((await rejection(storage.ensure(wanted, signal))).message).to.include(
      'modprobe dm_crypt',
    );
    expect((await plain.list(signal)).volumes).to.deep.equal([]);
  });

  it('of a filesystem: it is not known, and loaded again as soon as it is there', async () => {
    const directory = `${ground.runDir}.mounts`;
    const isKnown = () => isKnownFilesystem('btrfs', { run: runCommand, directory }, signal);
    await without('btrfs');
    expect(await isKnown()).to.equal(false);
    await rm(rules);
    expect(await isKnown()).to.equal(true);
  });
});
