import { expect } from 'chai';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scsiErrors } from '../../../../src/platform/health/scsi-errors.ts';

const sda = { name: 'sda', number: '8:0', identity: 'sda 1', below: [], isDisk: true };

describe('the reader of failed commands', () => {
  let sys: string;
  let read: ReturnType<typeof scsiErrors>;

  beforeEach(async () => {
    sys = await mkdtemp(join(tmpdir(), 'berth-sys-'));
    await mkdir(join(sys, 'class/block/sda/device'), { recursive: true });
    read = scsiErrors(sys);
  });

  afterEach(() => rm(sys, { recursive: true }));

  async function countsAt(count: number, now: number): Promise<number> {
    await writeFile(join(sys, 'class/block/sda/device/ioerr_cnt'), `0x${count.toString(16)}\n`);
    return (await read([sda], now)).length;
  }

  it('tells of commands that go on failing', async () => {
    expect(await countsAt(100, 0)).to.equal(0);
    expect(await countsAt(101, 10_000)).to.equal(0);
    expect(await countsAt(140, 20_000)).to.equal(1);
    expect(await countsAt(140, 30_000)).to.equal(0);
  });

  it('does not tell of those that a question for SMART makes fail', async () => {
    for (let asked = 0; asked < 10; asked += 1) {
      const at = asked * 300_000;
      expect(await countsAt(asked * 7, at)).to.equal(0);
      expect(await countsAt(asked * 7 + 5, at + 500)).to.equal(0);
      expect(await countsAt(asked * 7 + 7, at + 1_000)).to.equal(0);
      expect(await countsAt(asked * 7 + 7, at + 11_000)).to.equal(0);
    }
  });
});
