import { expect } from 'chai';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { judgeSmart } from '../../../../src/model/smart.ts';
import { parseSmartReport } from '../../../../src/platform/health/smart-report.ts';

/** Reports as smartctl 7.3 prints them, of disks that are well and of disks that are not. */
async function report(name: string) {
  const text = await readFile(join(import.meta.dirname, 'smart-reports', `${name}.json`), 'utf8');
  const { smartctl } = JSON.parse(text) as { smartctl: { exit_status: number } };
  return parseSmartReport(text, smartctl.exit_status);
}

async function verdict(name: string) {
  const read = await report(name);
  if (read.kind !== 'read') {
    throw new Error(`${name} was not read: ${read.kind}`);
  }
  return judgeSmart(read.facts);
}

describe('a report of smartctl', () => {
  it('of a disk that is well says nothing', async () => {
    for (const name of ['nvme-well', 'ata-well']) {
      expect(await verdict(name), name).to.deep.equal({ failed: undefined, warning: undefined });
    }
  });

  it('of an NVMe disk that is not says why', async () => {
    expect((await verdict('nvme-critical')).failed).to.match(/no longer be relied on/);
  });

  it('of an ATA disk that fails names its verdict, and the sectors it has lost', async () => {
    const { failed, warning = '' } = await verdict('ata-failed');
    expect(failed).to.match(/its own check/);
    expect(warning.split(', ')).to.deep.equal([
      'Reallocated_Sector_Ct is 38320',
      'Reallocated_Sector_Ct is at its limit',
      'Reported_Uncorrect is 12',
      'Current_Pending_Sector is 16',
    ]);
  });

  it('of a device without SMART is none', async () => {
    for (const name of ['scsi-without', 'virtio-without']) {
      expect(await report(name), name).to.deep.equal({ kind: 'none' });
    }
  });

  it('of a device that could not be opened, or did not answer, says what smartctl said', async () => {
    const closed = await report('raid-closed');
    expect(closed.kind === 'closed' && closed.why).to.contain('megaraid');
    const unreadable = await report('nvme-unreadable');
    expect(unreadable.kind === 'unreadable' && unreadable.why).to.contain('NVMe Status 0x06');
  });

  it('of a disk that sleeps says nothing of its health', () => {
    expect(parseSmartReport('{"smartctl":{"exit_status":3}}', 3)).to.deep.equal({ kind: 'asleep' });
  });

  it('that is no report is not that of a healthy disk', () => {
    for (const text of ['', 'smartctl 6.6 2016-05-31', '[]', 'null', '{', '{}']) {
      expect(parseSmartReport(text, 0).kind, text).to.equal('unreadable');
    }
    const partial = '{"smart_status":{"passed":"yes"},"ata_smart_attributes":{"table":7}}';
    expect(parseSmartReport(partial, 4).kind).to.equal('unreadable');
  });
});

describe('SMART', () => {
  it('calls nothing failing for heat, age or a few sectors', () => {
    const hot = { criticalWarning: 2, mediaErrors: 1, percentageUsed: 104 };
    const { failed, warning } = judgeSmart({ passed: false, nvme: hot });
    expect(failed).to.equal(undefined);
    expect(warning).to.match(/hot.*1 time.*104%/);
    const sector = { id: 197, name: 'Current_Pending_Sector', count: 8, isFailing: false };
    expect(judgeSmart({ passed: true, attributes: [sector] })).to.deep.equal({
      ...{ failed: undefined, warning: 'Current_Pending_Sector is 8' },
    });
  });

  it('knows the makers that use a number for something else', () => {
    const other = { id: 5, name: 'Power_Loss_Count', count: 8, isFailing: false };
    expect(judgeSmart({ attributes: [other] }).warning).to.equal(undefined);
  });

  it('calls a disk failing by each thing that is about its data', () => {
    for (const criticalWarning of [1, 4, 8, 16, 4 + 2]) {
      expect(judgeSmart({ nvme: { criticalWarning } }).failed, String(criticalWarning)).to.be.a(
        'string',
      );
    }
    const spent = { criticalWarning: 0, availableSpare: 4, spareThreshold: 10 };
    expect(judgeSmart({ nvme: spent }).failed).to.match(/4% spare.*10%/);
  });
});
