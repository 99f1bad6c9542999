import { expect } from 'chai';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
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

  interface Look {
    readonly hinted?: readonly string[];
    /** How many programs it starts. */
    readonly calls?: number;
  }

  /** Looks until what that has started has come to its end. */
  async function look(
    probe: HealthProbe,
    devices: readonly BlockDevice[],
    now: number,
    { hinted = [], calls: expected = 0 }: Look = {},
  ) {
    const before = calls.length;
    const findings = [...probe(devices, { now, hinted: new Set(hinted) })];
    const again = (): void => {
      findings.push(...probe(devices, { now, hinted: new Set() }));
    };
    const areThere = async (): Promise<boolean> => {
      again();
      return calls.length >= before + expected;
    };
    await waitFor('the programs to be started', areThere, { timeoutMs: 10_000, intervalMs: 5 });
    for (let turn = 0; turn < 50; turn += 1) await setImmediate();
    again();
    const started = calls.slice(before);
    expect(started).to.have.lengthOf(expected);
    return { findings, calls: started };
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
      const first = await look(asked, [device('sda'), device('sdb')], 0, { calls: 2 });
      expect(first.calls).to.deep.equal(['smartctl /dev/sda', 'smartctl /dev/sdb']);
      expect(first.findings.every(({ message }) => message === undefined)).to.equal(true);

      await look(asked, [device('sda')], hour - 1);
      await look(asked, [device('sda')], hour, { calls: 1 });
      await look(asked, [device('sda')], hour + minute, { hinted: ['sda'] });
      await look(asked, [device('sda')], hour + 5 * minute, { calls: 1 });
      await look(asked, [device('sda')], hour + 10 * minute);
    });

    it('asks a disk that fails again soon, until it is well', async () => {
      program = () => ended(8, bad);
      const asked = probe();
      const first = await look(asked, [device('sda')], 0, { calls: 1 });
      expect(first.findings.find(({ message }) => message)).to.include({ reason: 'SmartFailed' });
      program = () => Promise.resolve(well);
      const second = await look(asked, [device('sda')], 5 * minute, { calls: 1 });
      expect(second.findings).to.deep.include({
        ...{ device: 'sda', reason: 'SmartFailed', message: undefined },
      });
      await look(asked, [device('sda')], 10 * minute);
    });

    it('asks a device without SMART once, until it is another', async () => {
      program = () => ended(1, '{"smartctl":{"exit_status":1}}');
      const asked = probe();
      const { findings } = await look(asked, [device('sda')], 0, { calls: 1 });
      expect(findings).to.deep.equal([]);
      await look(asked, [device('sda')], 9 * hour, { hinted: ['sda'] });
      const another = device('sda', { identity: 'sda of another maker' });
      await look(asked, [another], 9 * hour, { calls: 1 });
    });

    it('never asks what the kernel made up, or what lies on something else', async () => {
      const made = [device('dm-0'), device('sda', { isDisk: false, below: ['sdb'] })];
      await look(probe(), made, 0);
    });

    it('tells of a disk that answers no more, and of nonsense', async () => {
      program = () => Promise.resolve(well);
      const asked = probe();
      await look(asked, [device('sda')], 0, { calls: 1 });
      for (const failure of [() => ended(2, '{}'), () => Promise.resolve('nonsense')]) {
        program = failure;
        const later = await look(asked, [device('sda')], 2 * hour, { calls: 1 });
        expect(later.findings.map(({ reason, message }) => [reason, message !== undefined])).to.eql(
          [['SmartUnreadable', true]],
        );
        program = () => Promise.resolve(well);
        await look(asked, [device('sda')], 4 * hour, { calls: 1 });
      }
    });

    it('says nothing of a disk that sleeps, or that has never been open to it', async () => {
      const asked = probe();
      for (const status of [3, 2]) {
        program = () => ended(status, '{}');
        const { findings } = await look(asked, [device('sda')], (3 - status) * hour, {
          calls: 1,
        });
        expect(findings).to.deep.equal([]);
      }
    });

    it('asks nothing where the program is missing', async () => {
      program = () => Promise.reject(new CommandError('spawn ENOENT', undefined, ''));
      const asked = probe();
      const devices = [device('sda'), device('sdb')];
      const { findings } = await look(asked, devices, 0, { calls: 1 });
      expect(findings).to.deep.equal([]);
      await look(asked, devices, 2 * hour);
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

    beforeEach(async () => {
      for (const [name, text] of Object.entries({ 'dm-0': 'CRYPT-x', 'dm-1': `${uuid}-tpool` })) {
        await mkdir(join(sys, 'class/block', name, 'dm'), { recursive: true });
        await writeFile(join(sys, 'class/block', name, 'dm/uuid'), `${text}\n`);
      }
    });

    it('asks LVM only where its volumes are, and knows them by their uuids', async () => {
      program = () => Promise.resolve(lvs('refresh needed'));
      const asked = lvmStates({ lvm: (args) => run('lvm', args), everyMs: hour, sys });
      await look(asked, [device('sda'), device('dm-0')], 0);

      const devices = [device('sda'), device('dm-0'), device('dm-1')];
      const ill = await look(asked, devices, hour, { calls: 1 });
      const [finding, ...more] = ill.findings.filter(({ message }) => message !== undefined);
      expect(finding).to.include({ device: 'dm-1', reason: 'LvmDegraded' });
      expect(finding?.message).to.contain('data/db');
      expect(more).to.deep.equal([]);

      program = () => Promise.resolve(lvs(''));
      const healed = await look(asked, devices, hour + 5 * minute, { calls: 1 });
      expect(healed.findings).to.deep.include({
        ...{ device: 'dm-1', reason: 'LvmDegraded', message: undefined },
      });
      program = () => Promise.reject(new Error('LVM is locked'));
      const silent = await look(asked, devices, 3 * hour, { calls: 1 });
      expect(silent.findings).to.deep.equal([]);
    });

    it('sees volumes that lead to a disk which is gone, though LVM is content', async () => {
      await mkdir(join(sys, 'class/block/dm-1/slaves'), { recursive: true });
      await symlink('../../../../devices/gone/sdc', join(sys, 'class/block/dm-1/slaves/sdc'));
      program = () => Promise.resolve(lvs('', 'linear'));
      const asked = lvmStates({ lvm: (args) => run('lvm', args), everyMs: hour, sys });

      const { findings } = await look(asked, [device('dm-0'), device('dm-1')], hour, { calls: 1 });
      const ill = findings.filter(({ message }) => message !== undefined);
      expect(ill.map(({ reason }) => reason)).to.include('LvmFailed');
      expect(ill[0]).to.include({ device: 'dm-1' });
      expect(ill[0]?.message).to.contain('still leads to sdc');
    });
  });
});
