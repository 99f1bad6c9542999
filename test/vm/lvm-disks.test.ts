import { expect } from 'chai';

import { NoSpaceError } from '../../src/model/errors.ts';
import { whyNotBlank } from '../../src/platform/blank.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import { PoolUnusableError } from '../../src/usecases/ports.ts';
import { diskBytes } from '../guest/disks.ts';
import { sized } from '../support/identities.ts';
import { rejection } from '../support/rejection.ts';
import { blankDisk, diskOfGuest, plugInDisks, unplugDisk } from './ground.ts';
import { killedAt, lvmGround, type LvmGround } from './lvm-ground.ts';

const { signal } = new AbortController();
const lvm = (...args: string[]) => runCommand('lvm', args);

describe('the lvm backend in a volume group that it makes of disks', () => {
  let ground: LvmGround;

  before(async () => {
    ground = await lvmGround();
  });

  afterEach(async () => {
    await ground.cleanUp();
    for (const serial of ['ssd-c', 'ssd-d'] as const) await blankDisk(serial);
    ground = await lvmGround();
  });

  after(() => ground.cleanUp());

  const open = async (serials: readonly ('ssd-c' | 'ssd-d')[], hasVolumes = false) => {
    // One that no disk has, so that nothing may be selected.
    const paths = ['/dev/none', ...(await Promise.all(serials.map(diskOfGuest)))];
    return ground.open({}, { devices: { paths }, hasVolumes });
  };
  const states = (disks: readonly { path?: string | undefined; state: string }[] = []) =>
    Object.fromEntries(disks.map(({ path, state }) => [path ?? 'gone', state]));

  it('grows with disks that are selected, and lets go of those that are not', async () => {
    const [c, d] = [await diskOfGuest('ssd-c'), await diskOfGuest('ssd-d')];
    const first = await (await open(['ssd-c'])).usage(signal);
    expect(states(first.disks)).to.deep.equal({ [c]: 'used' });

    const grown = await (await open(['ssd-c', 'ssd-d'])).usage(signal);
    expect(states(grown.disks)).to.deep.equal({ [c]: 'used', [d]: 'used' });
    expect(grown.free).to.equal(2 * first.free);

    const shrunk = await (await open(['ssd-d'])).usage(signal);
    expect(states(shrunk.disks)).to.deep.equal({ [d]: 'used' });
    expect(await whyNotBlank(c, diskBytes)).to.equal(undefined);

    await (await open([])).usage(signal);
    expect(await whyNotBlank(d, diskBytes)).to.equal(undefined);
  });

  it('keeps a disk with volumes on it when it is no longer selected, and puts no more there', async () => {
    const c = await diskOfGuest('ssd-c');
    await (await open(['ssd-c'])).ensure(sized('1', 8), signal);
    const left = await open([]);
    const { disks, free } = await left.usage(signal);

    expect(states(disks)).to.deep.equal({ [c]: 'leaving' });
    expect(free).to.equal(0);
    await left.remove(sized('1', 8), 'none', signal);
    expect((await left.usage(signal)).disks).to.deep.equal([]);
    expect(await whyNotBlank(c, diskBytes)).to.equal(undefined);
  });

  it('takes no disk with anything on it', async () => {
    const c = await diskOfGuest('ssd-c');
    await runCommand('mkfs.ext4', ['-q', c, '32M']);
    const { disks, total } = await (await open(['ssd-c'])).usage(signal);

    expect(total).to.equal(0);
    expect(states(disks)).to.deep.equal({ [c]: 'refused' });
    expect(await runCommand('blkid', ['-o', 'value', '-s', 'TYPE', c])).to.include('ext4');
  });

  it('goes on with a disk that it had begun to take', async () => {
    const c = await diskOfGuest('ssd-c');
    const killed = killedAt((args) => args[0] === 'vgcreate');
    const backend = ground.open({}, { run: killed, devices: { paths: [c] } });
    await rejection(backend.usage(signal));

    expect(states((await (await open(['ssd-c'])).usage(signal)).disks)).to.deep.equal({
      [c]: 'used',
    });
  });

  it('leaves a group of its name alone that was not made for it', async () => {
    const [c, d] = [await diskOfGuest('ssd-c'), await diskOfGuest('ssd-d')];
    await lvm('vgcreate', '-y', '-s', '1m', 'berth-fast', c);
    const error = await rejection(ground.open({}, { devices: { paths: [d] } }).usage(signal));

    expect(error).to.be.instanceOf(PoolUnusableError);
    expect(error.message).to.include('berth-fast');
    expect(await whyNotBlank(d, diskBytes)).to.equal(undefined);
  });

  it('never begins anew when its disks are gone', async () => {
    await (await open(['ssd-c', 'ssd-d'])).ensure(sized('1', 8), signal);
    const selected = { paths: [await diskOfGuest('ssd-c'), await diskOfGuest('ssd-d')] };
    await unplugDisk('ssd-d');
    try {
      const backend = ground.open({}, { devices: selected, hasVolumes: true });
      const { disks, free, warnings } = await backend.usage(signal);
      expect(Object.values(states(disks)).sort()).to.deep.equal(['missing', 'used']);
      expect(free).to.equal(0);
      expect(warnings?.join()).to.include('lacks');
      expect(await rejection(backend.ensure(sized('2', 8), signal))).to.be.instanceOf(NoSpaceError);
    } finally {
      await plugInDisks('ssd-d');
    }
  });

  it('is not usable without its volume group where volumes were made', async () => {
    const error = await rejection((await open(['ssd-c'], true)).usage(signal));

    expect(error).to.be.instanceOf(PoolUnusableError);
    expect(await whyNotBlank(await diskOfGuest('ssd-c'), diskBytes)).to.equal(undefined);
  });
});
