import { expect } from 'chai';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { eraseDevice } from '../../src/backends/shared/erase-device.ts';
import { MiB } from '../../src/model/bytes.ts';
import { CommandError, runCommand, type RunCommand } from '../../src/platform/run-command.ts';
import { loopDisks, scribble, type LoopDisks } from '../support/loop-disks.ts';
import { needLoopDevices } from '../support/loop-pool.ts';
import { rejection } from '../support/rejection.ts';

describe('erasing a block device', () => {
  const { signal } = new AbortController();
  let disks: LoopDisks;
  let disk: string;

  before(function () {
    needLoopDevices(this);
  });

  beforeEach(async () => {
    disks = await loopDisks();
    disk = await disks.add(16);
    await scribble(disk, 0, 16);
  });

  afterEach(() => disks.cleanUp());

  for (const erase of ['discard', 'zero'] as const) {
    it(`leaves nothing to read (${erase}), however often`, async () => {
      expect(await eraseDevice(disk, erase, runCommand, signal)).to.include('16Mi');
      expect(await eraseDevice(disk, erase, runCommand, signal)).to.include('16Mi');

      expect((await disks.content(disk)).every((byte) => byte === 0)).to.equal(true);
    });
  }

  it('leaves no signature at either end (none)', async () => {
    await eraseDevice(disk, 'none', runCommand, signal);
    const content = await disks.content(disk);

    expect(content.subarray(0, MiB).every((byte) => byte === 0)).to.equal(true);
    expect(content.subarray(15 * MiB).every((byte) => byte === 0)).to.equal(true);
    expect(content.subarray(MiB, 15 * MiB).includes(0)).to.equal(false);
  });

  it('leaves nothing to read where the medium cannot discard', async () => {
    const cannotDiscard: RunCommand = (program, args, ...rest) =>
      program === 'blkdiscard' && !args.includes('--zeroout')
        ? Promise.reject(new CommandError('no', 1, 'BLKDISCARD ioctl failed: not supported'))
        : runCommand(program, args, ...rest);

    const said = await eraseDevice(disk, 'discard', cannotDiscard, signal);
    expect(said).to.include('cannot discard');
    expect((await disks.content(disk)).every((byte) => byte === 0)).to.equal(true);
  });

  for (const erase of ['discard', 'zero', 'none'] as const) {
    it(`touches nothing while somebody holds the device (${erase})`, async () => {
      // As a mount does.
      const holder = await open(disk, constants.O_RDONLY | constants.O_EXCL);
      const error = await rejection(eraseDevice(disk, erase, runCommand, signal));
      await holder.close();

      expect(error.message).to.include('in use');
      expect((await disks.content(disk)).includes(0)).to.equal(false);
    });
  }

  it('stops when it is told to', async () => {
    const stopped = AbortSignal.abort(new Error('stopped'));
    await rejection(eraseDevice(disk, 'zero', runCommand, stopped));

    expect((await disks.content(disk)).includes(0)).to.equal(false);
  });
});
