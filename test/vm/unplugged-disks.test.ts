import { expect } from 'chai';
import { open as openFile, writeFile } from 'node:fs/promises';

import { whyNotBlank } from '../../src/platform/blank.ts';
import { runCommand, type RunCommand } from '../../src/platform/run-command.ts';
import { MiB } from '../../src/model/bytes.ts';
import { NoSpaceError } from '../../src/model/errors.ts';
import {
  PoolUnusableError,
  type DiskInPool,
  type StorageBackend,
} from '../../src/usecases/ports.ts';
import { diskBytes } from '../guest/disks.ts';
import { sized } from '../support/identities.ts';
import { rejection } from '../support/rejection.ts';
import { blankDisk, diskOfGuest, plugInDisks, unplugDisk } from './ground.ts';
import { agentWith, closeAll, encryptedVolume, inUse, readAt, writeAt } from './luks-ground.ts';
import { lvmGround, type LvmGround } from './lvm-ground.ts';

const { signal } = new AbortController();
const one = sized('1', 8);
const two = sized('2', 8);
type Serial = 'ssd-c' | 'ssd-d';

describe('a disk of a volume group that is unplugged', function () {
  this.timeout(120_000);
  let ground: LvmGround;
  /** The disk that the volume is on, and the other one: a disk that comes back may get another name, and another turn. */
  let holder: Serial;
  let other: Serial;

  beforeEach(async () => {
    ground = await lvmGround();
    const backend = await open(runCommand, [], false);
    await backend.ensure(one, signal);
    await writeFile(await backend.attach(one, signal), 'kept', { flag: 'rs+' });
    const on = await runCommand('lvm', ['lvs', '--noheadings', '-o', 'devices', 'berth-fast']);
    const isOnC = on.includes(`${await diskOfGuest('ssd-c')}(`);
    [holder, other] = isOnC ? ['ssd-c', 'ssd-d'] : ['ssd-d', 'ssd-c'];
  });

  afterEach(async () => {
    await plugInDisks('ssd-c', 'ssd-d');
    await ground.reboot();
    await ground.cleanUp();
    for (const serial of ['ssd-c', 'ssd-d'] as const) await blankDisk(serial);
  });

  /** Both disks, whether they are there or not. */
  const open = async (
    run: RunCommand = runCommand,
    more: readonly string[] = [],
    hasVolumes = true,
    lvm: Readonly<Record<string, unknown>> = {},
  ) => {
    const there = await Promise.all(
      (['ssd-c', 'ssd-d'] as const).map((serial) => diskOfGuest(serial).catch(() => '/dev/none')),
    );
    const devices = { paths: [...there, ...more] };
    return ground.open(lvm, { run, devices, hasVolumes });
  };
  const unpluggedBefore =
    (command: string): RunCommand =>
    async (program, args, ...rest) => {
      if (args[0] === command) await unplugDisk(holder);
      return runCommand(program, args, ...rest);
    };
  const states = (disks: readonly DiskInPool[] = []) => disks.map(({ state }) => state).sort();

  async function readVolume(agent: StorageBackend): Promise<string> {
    const path = await agent.attach(one, signal);
    return runCommand('dd', [`if=${path}`, 'bs=4', 'count=1']);
  }

  async function expectMissing(): Promise<void> {
    const agent = await open();
    const { disks, free, warnings } = await agent.usage(signal);
    expect(states(disks)).to.deep.equal(['missing', 'used']);
    expect(free).to.equal(0);
    expect(warnings?.join()).to.include('lacks 1 of its disks');
    expect(await agent.find(one, signal)).to.include({ name: one.name });
    expect(await rejection(agent.ensure(two, signal))).to.be.instanceOf(NoSpaceError);
  }

  async function expectBack(): Promise<void> {
    await plugInDisks(holder);
    await ground.reboot();
    await expectWell();
  }

  /** Follows the words about the disk of the volume, which the group was changed without. */
  async function getInAgain(): Promise<void> {
    const { disks = [] } = await (await open()).usage(signal);
    const back = disks.find(({ state }) => state === 'missing');
    expect(back?.path).to.equal(await diskOfGuest(holder));
    const [, command = ''] = /`(vgextend --restoremissing .*)`/.exec(back?.message ?? '') ?? [];
    await runCommand('lvm', command.split(' '));
  }

  async function expectWell(): Promise<void> {
    const agent = await open();
    const { disks } = await agent.usage(signal);
    expect(states(disks)).to.deep.equal(['used', 'used']);
    const { volumes, strays } = await agent.list(signal);
    expect([volumes.map(({ name }) => name), strays]).to.deep.equal([[one.name], []]);
    expect(await ground.volumes()).to.deep.equal([one.name]);
    expect(await readVolume(agent)).to.equal('kept');
    await agent.ensure(two, signal);
  }

  it('while a volume is made keeps the others, and nothing is left of the new one', async () => {
    const error = await rejection((await open(unpluggedBefore('lvcreate'))).ensure(two, signal));
    expect(error.message).to.include('PVs are missing').and.not.include('--config');
    await expectMissing();
    await expectBack();
  });

  it('while a volume is removed keeps the others, and says how it gets in again', async () => {
    await (await open()).ensure(two, signal);
    await (await open(unpluggedBefore('lvremove'))).remove(one, 'discard', signal);
    expect(await ground.volumes()).to.deep.equal([two.name]);
    await plugInDisks(holder);

    await getInAgain();
    await ground.reboot();
    await (await open()).attach(two, signal);
  });

  it('belongs to the group when it is back: no volume is removed or adopted meanwhile, and all are then', async () => {
    await ground.reboot();
    await unplugDisk(other);
    const error = await rejection((await open()).remove(one, 'discard', signal));
    expect(error).to.be.instanceOf(PoolUnusableError);
    expect(error.message).to.include('lacks 1 of its disks');
    const renaming = await rejection(
      (await open()).adopt(one, { ...two, bytes: one.bytes }, signal),
    );
    expect(renaming).to.be.instanceOf(PoolUnusableError);
    await plugInDisks(other);

    const agent = await open();
    expect(states((await agent.usage(signal)).disks)).to.deep.equal(['used', 'used']);
    expect(await readVolume(agent)).to.equal('kept');
    expect(await agent.remove(one, 'discard', signal)).to.include('discarded');
    expect(await ground.volumes()).to.deep.equal([]);
  });

  it('has its volumes led back to it once nobody uses them, and says so until then', async () => {
    const path = await (await open()).attach(one, signal);
    // As a pod with `volumeMode: Block` does; a mount would hold it beside that.
    const use = await openFile(path, 'r+');
    try {
      await unplugDisk(holder);
      await plugInDisks(holder);
      const agent = await open();
      expect((await agent.usage(signal)).warnings?.join()).to.match(
        /still leads to sd[a-z], .*end its pod/,
      );
      await agent.attach(one, signal);
      expect((await rejection(readVolume(agent))).message).to.match(
        /Invalid argument|Input\/output error/,
      );
    } finally {
      await use.close();
    }
    const agent = await open();
    expect((await agent.usage(signal)).warnings).to.equal(undefined);
    await expectWell();
  });

  it('has a volume led back to it that the next pod asks for', async () => {
    await unplugDisk(holder);
    await plugInDisks(holder);
    const agent = await open();
    expect(await readVolume(agent)).to.equal('kept');
  });

  it('has encrypted volumes led back to it', async () => {
    const secret = encryptedVolume('secret');
    const identity = { name: secret.name, volumeUid: secret.uid };
    const made = agentWith(ground.runDir).ofVolume(secret, await open());
    try {
      await made.ensure({ ...identity, bytes: secret.spec.bytes }, signal);
      await writeAt(await made.attach(identity, signal), 'kept', 8 * MiB);
      for (const disk of [holder, other]) await unplugDisk(disk);
      await plugInDisks(holder, other);

      const agent = agentWith(ground.runDir).ofVolume(inUse(secret), await open());
      const path = await agent.attach(identity, signal);
      expect((await readAt(path, 4, 8 * MiB)).toString()).to.equal('kept');
      await agent.remove(identity, 'discard', signal);
    } finally {
      await closeAll();
    }
  });

  it('has a mirrored volume led back to it where both copies were away', async () => {
    const mirrored = { type: 'mirrored' };
    const before = await open(runCommand, [], false, mirrored);
    await before.ensure(two, signal);
    await writeFile(await before.attach(two, signal), 'both', { flag: 'rs+' });
    for (const disk of [holder, other]) await unplugDisk(disk);
    await plugInDisks(holder, other);

    const agent = await open(runCommand, [], true, mirrored);
    const path = await agent.attach(two, signal);
    expect((await readAt(path, 4, 0)).toString()).to.equal('both');
  });

  it('is measured until its volumes lead back to it', async () => {
    const plan = ground.plan({}, { paths: ['/dev/sd*'] });
    const signs = async () => plan.signs?.('fast');
    const before = await signs();
    await unplugDisk(holder);
    expect((await rejection(signs())).message).to.match(/leads to sd[a-z], which is gone/);
    await plugInDisks(holder);
    await rejection(signs());
    await (await open()).attach(one, signal);
    expect(await signs()).to.equal(before);
  });

  it('is let go of with its volumes where people say that it is gone for good', async () => {
    const left = await diskOfGuest(other);
    await ground.reboot();
    await unplugDisk(holder);
    await runCommand('lvm', ['vgreduce', '--removemissing', '--force', 'berth-fast']);

    const agent = await open();
    expect(await agent.find(one, signal)).to.equal(undefined);
    expect(await agent.remove(one, 'discard', signal)).to.equal(undefined);
    await agent.ensure(two, signal);
    const { disks = [], warnings } = await agent.usage(signal);
    expect([warnings, disks.find(({ state }) => state === 'used')?.path]).to.deep.equal([
      undefined,
      left,
    ]);
  });

  it('is in nobody’s way who needs the others, where a volume was left half made', async () => {
    const dying: RunCommand = (program, args, ...rest) =>
      args.includes('--deltag')
        ? Promise.reject(new Error('killed'))
        : args[0] === 'lvremove'
          ? Promise.reject(new Error('dead'))
          : runCommand(program, args, ...rest);
    await rejection((await open(dying)).ensure(two, signal));
    expect(await ground.volumes()).to.have.members([one.name, two.name]);
    await unplugDisk(other);

    const agent = await open();
    expect(await agent.find(one, signal)).to.include({ name: one.name });
    await agent.attach(one, signal);
    expect((await agent.list(signal)).volumes.map(({ name }) => name)).to.deep.equal([one.name]);
    await plugInDisks(other);
    await agent.list(signal);
    expect(await ground.volumes()).to.deep.equal([one.name]);
  });

  it('is not replaced by what comes in its place, and volumes on it are not used', async () => {
    await ground.reboot();
    await unplugDisk(holder);
    const spare = await diskOfGuest('hdd-a');
    const agent = await open(runCommand, [spare]);
    const { disks = [] } = await agent.usage(signal);
    expect(states(disks)).to.deep.equal(['missing', 'refused', 'used']);
    expect(disks.find(({ state }) => state === 'refused')?.message).to.include('lacks a disk');
    expect(await whyNotBlank(spare, diskBytes)).to.equal(undefined);
    const error = await rejection(agent.attach(one, signal));
    expect(error.message).to.match(/partial/i);
  });

  it('says how it gets in again when the group was changed without it', async () => {
    await ground.reboot();
    const left = await diskOfGuest(other);
    await runCommand('lvm', ['lvcreate', '-y', '-n', 'other', '-L', '4m', 'berth-fast', left]);
    await unplugDisk(holder);
    await runCommand('lvm', ['lvremove', '-y', 'berth-fast/other']);
    await plugInDisks(holder);
    await getInAgain();
    await expectWell();
  });
});
