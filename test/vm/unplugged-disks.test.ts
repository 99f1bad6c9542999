import { expect } from 'chai';
import { writeFile } from 'node:fs/promises';

import { whyNotBlank } from '../../src/platform/blank.ts';
import { runCommand, type RunCommand } from '../../src/platform/run-command.ts';
import { NoSpaceError } from '../../src/model/errors.ts';
import type { DiskInPool } from '../../src/usecases/ports.ts';
import { diskBytes } from '../guest/disks.ts';
import { rejection } from '../support/rejection.ts';
import { blankDisk, diskOfGuest, plugInDisks, unplugDisk } from './ground.ts';
import { lvmGround, request, type LvmGround } from './lvm-ground.ts';

const { signal } = new AbortController();
const one = request('1', 8);
const two = request('2', 8);
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
  ) => {
    const there = await Promise.all(
      (['ssd-c', 'ssd-d'] as const).map((serial) => diskOfGuest(serial).catch(() => '/dev/none')),
    );
    const devices = { paths: [...there, ...more] };
    return ground.open({}, { run, devices, hasVolumes });
  };
  const unpluggedBefore =
    (command: string): RunCommand =>
    async (program, args, ...rest) => {
      if (args[0] === command) await unplugDisk(holder);
      return runCommand(program, args, ...rest);
    };
  const states = (disks: readonly DiskInPool[] = []) => disks.map(({ state }) => state).sort();

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

  async function expectWell(): Promise<void> {
    const agent = await open();
    const { disks } = await agent.usage(signal);
    expect(states(disks)).to.deep.equal(['used', 'used']);
    const { volumes, strays } = await agent.list(signal);
    expect([volumes.map(({ name }) => name), strays]).to.deep.equal([[one.name], []]);
    expect(await ground.volumes()).to.deep.equal([one.name]);
    const path = await agent.attach(one, signal);
    expect(await runCommand('dd', [`if=${path}`, 'bs=4', 'count=1'])).to.equal('kept');
    await agent.ensure(two, signal);
  }

  it('while a volume is made keeps the others, and nothing is left of the new one', async () => {
    const error = await rejection((await open(unpluggedBefore('lvcreate'))).ensure(two, signal));
    expect(error.message).to.include('PVs are missing').and.not.include('--config');
    await expectMissing();
    await expectBack();
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
    const { disks = [] } = await (await open()).usage(signal);
    const back = disks.find(({ state }) => state === 'missing');
    expect(back?.path).to.equal(await diskOfGuest(holder));
    const [, command = ''] = /`(.*)`/.exec(back?.message ?? '') ?? [];
    await runCommand('lvm', command.split(' '));
    await expectWell();
  });
});
