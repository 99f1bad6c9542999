import { expect } from 'chai';
import { readdir, rm, writeFile } from 'node:fs/promises';

import { whyNotBlank } from '../../src/platform/blank.ts';
import { ifThere } from '../../src/platform/files.ts';
import { isKnownFilesystem } from '../../src/platform/known-filesystems.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import { PoolUnusableError, type StorageBackend } from '../../src/usecases/ports.ts';
import { diskBytes } from '../guest/disks.ts';
import { sized } from '../support/identities.ts';
import { rejection } from '../support/rejection.ts';
import { blankDisk, diskOfGuest } from './ground.ts';
import { lvmGround, type LvmGround } from './lvm-ground.ts';
import { agentWith, encryptedVolume } from './luks-ground.ts';

const { signal } = new AbortController();
const one = sized('1', 4);
const rules = '/etc/modprobe.d/berth-test.conf';

/** The kernel, and programs that load modules, do not find this one from here on. */
async function without(module: string): Promise<void> {
  await runCommand('lvm', ['vgchange', '--activate', 'n']);
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

  async function expectUnusable(backend: StorageBackend, module: string): Promise<void> {
    for (const call of [() => backend.usage(signal), () => backend.ensure(sized('2', 4), signal)]) {
      const error = await rejection(call());
      expect(error.message).to.include(`modprobe ${module}`).and.include('lvm.type');
      expect(error).to.be.instanceOf(PoolUnusableError);
    }
  }

  it('dm_mod: a pool takes no disk, keeps the volumes that are there, and works as soon as it is there', async () => {
    const disk = await diskOfGuest('ssd-c');
    await without('dm_mod');
    const backend = ground.open({}, { devices: { paths: [disk] } });
    await expectUnusable(backend, 'dm_mod');
    expect(await whyNotBlank(disk, diskBytes)).to.equal(undefined);

    await rm(rules);
    await backend.ensure(one, signal);
    await without('dm_mod');
    await expectUnusable(ground.open({}, { devices: { paths: [disk] } }), 'dm_mod');
    expect((await backend.list(signal)).volumes).to.have.length(1);
    for (const call of [
      () => backend.attach(one, signal),
      () => backend.remove(one, 'zero', signal),
    ]) {
      expect((await rejection(call())).message).to.include('modprobe dm_mod');
    }

    await rm(rules);
    await backend.attach(one, signal);
  });

  for (const [module, type] of [
    ['dm_raid', 'mirrored'],
    ['dm_thin_pool', 'thin'],
  ] as const) {
    it(`${module}: a pool of type ${type} takes no disk, and says why`, async () => {
      const disk = await diskOfGuest('ssd-c');
      await runCommand('modprobe', ['dm_mod']);
      await without(module);
      await expectUnusable(ground.open({ type }, { devices: { paths: [disk] } }), module);
      expect(await whyNotBlank(disk, diskBytes)).to.equal(undefined);
    });
  }

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

  it('of a filesystem: it is not known, and is as soon as it is there', async () => {
    const directory = `${ground.runDir}.mounts`;
    const isKnown = () => isKnownFilesystem('xfs', { run: runCommand, directory }, signal);
    const file = (await runCommand('modinfo', ['--field', 'filename', 'xfs'])).trim();
    await unload('xfs');
    await runCommand('mount', ['--bind', '/dev/null', file]);
    try {
      expect(await isKnown()).to.equal(false);
    } finally {
      await runCommand('umount', [file]);
    }
    expect(await isKnown()).to.equal(true);
  });
});
