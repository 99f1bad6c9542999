import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { parsePoolSpec, type DeclaredPool } from '../../src/backends/index.ts';
import { DiskOwners } from '../../src/backends/shared/disk-owners.ts';
import { poolDisks } from '../../src/backends/shared/pool-disks.ts';
import type { DeviceSelector } from '../../src/model/device-selector.ts';
import { listDisks, lookAtDisk } from '../../src/platform/block-devices.ts';
import { CommandError, runCommand, type RunCommand } from '../../src/platform/run-command.ts';
import { oneAtATime } from '../../src/usecases/one-at-a-time.ts';
import type { StorageBackend } from '../../src/usecases/ports.ts';
import type { DiskSerial } from '../guest/disks.ts';
import { noDisks } from '../support/loop-pool.ts';
import { diskOfGuest } from './ground.ts';

export interface OpenOptions {
  readonly run?: RunCommand;
  readonly hasVolumes?: boolean;
  /** The disks that are selected, where the pool makes its volume group of disks. */
  readonly devices?: DeviceSelector;
}

/** Pools of LVM on the disks of the guest. Its volume group `guest` has extents of 1 MiB. */
export interface LvmGround {
  readonly runDir: string;
  plan(lvm?: Readonly<Record<string, unknown>>, devices?: DeviceSelector): DeclaredPool;
  /** As a new agent would open it. */
  open(lvm?: Readonly<Record<string, unknown>>, options?: OpenOptions): StorageBackend;
  /** Makes the volume group `guest` of parts of disks, in MiB. */
  makeGroup(sizes: Partial<Record<DiskSerial, number>>): Promise<void>;
  reboot(): Promise<void>;
  /** Removes all volumes, and keeps the volume group. */
  empty(): Promise<void>;
  /** The names of all volumes of all groups. */
  volumes(): Promise<readonly string[]>;
  cleanUp(): Promise<void>;
}

export async function lvmGround(): Promise<LvmGround> {
  const root = await mkdtemp(join(tmpdir(), 'berth-lvm-'));
  const runDir = join(root, 'run');
  const inTurn = oneAtATime();
  const takeInTurn = oneAtATime();
  const owners = new DiskOwners(() => true);

  function plan(
    lvm: Readonly<Record<string, unknown>> = {},
    devices?: DeviceSelector,
  ): DeclaredPool {
    const place = devices ? {} : { volumeGroup: 'guest' };
    const spec = parsePoolSpec({
      backend: 'lvm',
      lvm: { ...place, extentSize: '1Mi', ...lvm },
      ...(devices && { devices }),
    });
    if (!spec.ok) {
      throw new Error(spec.error);
    }
    return spec.value;
  }

  const rows = async (command: string, field: string): Promise<readonly string[]> => {
    const text = await runCommand('lvm', [command, '--noheadings', '-o', field]);
    return text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]));
  };

  return {
    runDir,
    plan,
    open: (lvm, { run = runCommand, hasVolumes = false, devices } = {}) =>
      plan(lvm, devices).open({
        ...{ pool: 'fast', runDir, run, inTurn },
        now: () => 0,
        hasVolumes: () => hasVolumes,
        disks: devices
          ? poolDisks('fast', devices, {
              disks: { now: listDisks(run), present: listDisks(run) },
              lookAt: lookAtDisk(run),
              owners,
              offeredAs: () => Promise.resolve(undefined),
              takeInTurn,
            })
          : noDisks,
      }),
    makeGroup: async (sizes) => {
      const paths: string[] = [];
      for (const [serial, mebibytes] of Object.entries(sizes)) {
        const path = await diskOfGuest(serial as DiskSerial);
        // One goes to what LVM itself writes.
        const size = `${mebibytes + 1}m`;
        await runCommand('lvm', ['pvcreate', '--yes', '--setphysicalvolumesize', size, path]);
        paths.push(path);
      }
      await runCommand('lvm', ['vgcreate', '--physicalextentsize', '1m', 'guest', ...paths]);
    },
    reboot: async () => {
      await runCommand('lvm', ['vgchange', '--activate', 'n']);
      await rm(runDir, { recursive: true, force: true });
    },
    empty: async () => {
      // A volume group without volumes is no error here.
      await runCommand('lvm', ['lvremove', '--yes', 'guest']);
      await rm(runDir, { recursive: true, force: true });
    },
    volumes: () => rows('lvs', 'lv_name'),
    cleanUp: async () => {
      for (const group of await rows('vgs', 'vg_name')) {
        await runCommand('lvm', ['vgremove', '--yes', '--force', group]);
      }
      for (const disk of await rows('pvs', 'pv_name')) {
        await runCommand('lvm', ['pvremove', '--yes', '--force', '--force', disk]);
        await runCommand('blkdiscard', ['--zeroout', '--length', '2M', disk]);
      }
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** Runs programs until `dies` says so; from then on it does nothing any more, as after a kill. */
export function killedAt(dies: (args: readonly string[]) => boolean): RunCommand {
  let isDead = false;
  return async (program, args, ...rest) => {
    isDead ||= dies(args);
    if (isDead) throw new CommandError('killed', undefined, '');
    return runCommand(program, args, ...rest);
  };
}
