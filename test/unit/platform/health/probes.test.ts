import { expect } from 'chai';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { lvmStates } from '../../../../src/platform/health/lvm.ts';
import { smart } from '../../../../src/platform/health/smart.ts';
import { CommandError, type RunCommand } from '../../../../src/platform/run-command.ts';
import type { BlockDevice, HealthProbe } from '../../../../src/usecases/health-ports.ts';
import { waitFor } from '../../../cluster/wait.ts';

const hour = 3_600_000;
const minute = 60_000;
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

const device = (name: string, more: Partial<BlockDevice> = {}): BlockDevice => ({
  ...{ name, number: '8:0', identity: `${name} of one maker`, below: [], isDisk: true },
  ...more,
});

describe('a probe', () => {
  let sys: string;
  let calls: string[];
  /** What the program does next. */
  let program: () => Promise<string>;
  const run: RunCommand = async (name, args) => {
    calls.push(`${name} ${args.at(-1) ?? ''}`);
    return program();
  };

  beforeEach(async () => {
    sys = await mkdtemp(join(tmpdir(), 'berth-sys-'));
    calls = [];
    for (const disk of ['sda', 'sdb']) {
      await mkdir(join(sys, 'class/block', disk, 'device'), { recursive: true });
    }
  });

  afterEach(() => rm(sys, { recursive: true }));

  /** Lets what a look has started come to its end, and looks again at once. */
  async function look(
    probe: HealthProbe,
    devices: readonly BlockDevice[],
    now: number,
    hinted: readonly string[] = [],
  ) {
    const before = calls.length;
    const first = probe(devices, { now, hinted: new Set(hinted) });
    await settle();
    const second = probe(devices, { now, hinted: new Set() });
    return { findings: [...first, ...second], calls: calls.slice(before) };
  }

  /** The probe reads /sys, or finds that it need not: no more calls come then. */
  async function settle(): Promise<void> {
    let seen = -1;
    const isDone = async (): Promise<boolean> => {
      for (let n = 0; n < 50; n += 1) await setImmediate();
      const before = seen;
      seen = calls.length;
      return before === seen;
    };
    await waitFor('the probe to be done', isDone, { timeoutMs: 5_000, intervalMs: 5 });
  }

  describe('for SMART', () => {
    const probe = () => smart({ run, log: quiet, everyMs: hour, sys });
    const well = '{"smart_status":{"passed":true}}';
    const bad = '{"smart_status":{"passed":false}}';
    const ended = (status: number, stdout = '') =>
      Promise.reject(new CommandError('smartctl failed', status, '', stdout));

    it('asks at first, then once in a long time, and sooner after a hint', async () => {
      program = () => Promise.resolve(well);
      const asked = probe();
      const first = await look(asked, [device('sda'), device('sdb')], 0);
      expect(first.calls).to.deep.equal(['smartctl /dev/sda', 'smartctl /dev/sdb']);
      expect(first.findings.every(({ message }) => message === undefined)).to.equal(true);

      expect((await look(asked, [device('sda')], hour - 1)).calls).to.deep.equal([]);
      expect((await look(asked, [device('sda')], hour)).calls).to.have.lengthOf(1);
      expect((await look(asked, [device('sda')], hour + minute, ['sda'])).calls).to.deep.equal([]);
      expect((await look(asked, [device('sda')], hour + 5 * minute)).calls).to.have.lengthOf(1);
      expect((await look(asked, [device('sda')], hour + 10 * minute)).calls).to.deep.equal([]);
    });

    it('asks a disk that fails again soon, until it is well', async () => {
      program = () => ended(8, bad);
      const asked = probe();
      const first = await look(asked, [device('sda')], 0);
      expect(first.findings.find(({ message }) => message)).to.include({ reason: 'SmartFailed' });
      program = () => Promise.resolve(well);
      const second = await look(asked, [device('sda')], 5 * minute);
      expect(second.findings).to.deep.include({
        ...{ device: 'sda', reason: 'SmartFailed', message: undefined },
      });
      expect((await look(asked, [device('sda')], 10 * minute)).calls).to.deep.equal([]);
    });

    it('asks a device without SMART once, until it is another', async () => {
      program = () => ended(1, '{"smartctl":{"exit_status":1}}');
      const asked = probe();
      expect((await look(asked, [device('sda')], 0)).findings).to.deep.equal([]);
      expect((await look(asked, [device('sda')], 9 * hour, ['sda'])).calls).to.deep.equal([]);
      const another = device('sda', { identity: 'sda of another maker' });
      expect((await look(asked, [another], 9 * hour)).calls).to.have.lengthOf(1);
    });

    it('never asks what the kernel made up, or what lies on something else', async () => {
      const made = [device('dm-0'), device('sda', { isDisk: false, below: ['sdb'] })];
      expect((await look(probe(), made, 0)).calls).to.deep.equal([]);
    });

    it('tells of a disk that answers no more, and of nonsense', async () => {
      program = () => Promise.resolve(well);
      const asked = probe();
      await look(asked, [device('sda')], 0);
      for (const failure of [() => ended(2, '{}'), () => Promise.resolve('nonsense')]) {
        program = failure;
        const later = await look(asked, [device('sda')], 2 * hour);
        expect(later.findings.map(({ reason, message }) => [reason, message !== undefined])).to.eql(
          [['SmartUnreadable', true]],
        );
        program = () => Promise.resolve(well);
        await look(asked, [device('sda')], 4 * hour);
      }
    });

    it('says nothing of a disk that sleeps, or that has never been open to it', async () => {
      const asked = probe();
      for (const status of [3, 2]) {
        program = () => ended(status, '{}');
        expect((await look(asked, [device('sda')], status * hour)).findings).to.deep.equal([]);
      }
    });

    it('asks nothing where the program is missing', async () => {
      program = () => Promise.reject(new CommandError('spawn ENOENT', undefined, ''));
      const asked = probe();
      const devices = [device('sda'), device('sdb')];
      expect(await look(asked, devices, 0)).to.deep.include({ findings: [] });
      expect((await look(asked, devices, 2 * hour)).calls).to.deep.equal([]);
    });
  });

  describe('for LVM', () => {
    const uuid = `LVM-${'g'.repeat(32)}${'v'.repeat(32)}`;
    const lvs = (status: string, layout = 'raid,raid1') =>
      JSON.stringify({
        report: [
          {
            lv: [
              {
                ...{ vg_name: 'data', vg_uuid: `gggggg-${'g'.repeat(26)}`, lv_name: 'db' },
                ...{ lv_uuid: `vvvvvv-${'v'.repeat(26)}`, lv_layout: layout },
                ...{ lv_health_status: status, lv_check_needed: '-1' },
              },
            ],
          },
        ],
      });

    it('asks LVM only where its volumes are, and knows them by their uuids', async () => {
      for (const [name, text] of Object.entries({ 'dm-0': 'CRYPT-x', 'dm-1': `${uuid}-tpool` })) {
        await mkdir(join(sys, 'class/block', name, 'dm'), { recursive: true });
        await writeFile(join(sys, 'class/block', name, 'dm/uuid'), `${text}\n`);
      }
      program = () => Promise.resolve(lvs('refresh needed'));
      const asked = lvmStates({ lvm: (args) => run('lvm', args), everyMs: hour, sys });
      expect((await look(asked, [device('sda'), device('dm-0')], 0)).calls).to.deep.equal([]);

      const devices = [device('sda'), device('dm-0'), device('dm-1')];
      const ill = await look(asked, devices, hour);
      expect(ill.calls).to.have.lengthOf(1);
      const [finding, ...more] = ill.findings.filter(({ message }) => message !== undefined);
      expect(finding).to.include({ device: 'dm-1', reason: 'LvmDegraded' });
      expect(finding?.message).to.contain('data/db');
      expect(more).to.deep.equal([]);

      program = () => Promise.resolve(lvs(''));
      const healed = await look(asked, devices, hour + 5 * minute);
      expect(healed.findings).to.deep.include({
        ...{ device: 'dm-1', reason: 'LvmDegraded', message: undefined },
      });
      program = () => Promise.reject(new Error('LVM is locked'));
      expect((await look(asked, devices, 3 * hour)).findings).to.deep.equal([]);
    });
  });
});
