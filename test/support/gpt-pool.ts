import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DiskOwners } from '../../src/backends/shared/disk-owners.ts';
import { poolDisks } from '../../src/backends/shared/pool-disks.ts';
import { parsePoolSpec, type DeclaredPool } from '../../src/backends/index.ts';
import type { DeviceSelector } from '../../src/model/device-selector.ts';
import type { Disk } from '../../src/model/disk.ts';
import { listDisks, lookAtDisk } from '../../src/platform/block-devices.ts';
import { rememberedDisks } from '../../src/platform/remembered-disks.ts';
import { runCommand, type RunCommand } from '../../src/platform/run-command.ts';
import { oneAtATime, type InTurn } from '../../src/usecases/one-at-a-time.ts';
import type { StorageBackend } from '../../src/usecases/ports.ts';
import { loopDisks, type LoopDisks, type UnpluggedDisk } from './loop-disks.ts';

export interface OpenOptions {
  readonly pool?: string;
  /** The disks that are selected: all of the ground where nothing is said. */
  readonly paths?: readonly string[];
  readonly run?: RunCommand;
  /** Lets disks that are not selected be looked at, as real ones are: loop devices are not. */
  readonly asRealDisks?: boolean;
  /** What is remembered of the disks of this machine, however old; as the agent does it where nothing is said. */
  readonly remembered?: readonly Disk[];
  readonly inTurn?: InTurn;
}

/** Pools on real disks that are loop devices. */
export interface GptGround {
  readonly disks: LoopDisks;
  readonly runDir: string;
  /** The paths of the disks as they are now. */
  paths(): readonly string[];
  /** As a new agent would open it. */
  open(options?: OpenOptions): StorageBackend;
  plan(): DeclaredPool;
  /** Takes links and what the kernel knows of partitions away, and gives the disks other names. */
  reboot(): Promise<void>;
  cleanUp(): Promise<void>;
}

export async function gptGround(
  backend: 'partition' | 'device',
  mebibytes: readonly number[],
): Promise<GptGround> {
  const disks = await loopDisks();
  const runDir = join(disks.root, 'run');
  let paths: string[] = [];
  for (const each of mebibytes) {
    paths.push(await disks.add(each));
  }
  const takeInTurn = oneAtATime();
  const rows = new Map([['fast', oneAtATime()]]);

  function plan(): DeclaredPool {
    const spec = parsePoolSpec({ backend, devices: { paths } });
    if (!spec.ok) {
      throw new Error(spec.error);
    }
    return spec.value;
  }

  function open(options: OpenOptions = {}): StorageBackend {
    const { pool = 'fast', run = runCommand, asRealDisks = false } = options;
    const selector: DeviceSelector = { paths: options.paths ?? paths };
    const own = new Set(paths);
    const list = async () =>
      (await listDisks(run)())
        .filter(({ path }) => !disks.isLost(path))
        .map((disk) => (asRealDisks && own.has(disk.path) ? { ...disk, type: 'disk' } : disk));
    const inTurn = options.inTurn ?? rows.get(pool) ?? oneAtATime();
    rows.set(pool, inTurn);
    const ofMachine = rememberedDisks(list, (kname) => own.has(`/dev/${kname}`), Date.now);
    const { remembered } = options;
    const around = { pool, runDir, run, now: () => 0, hasVolumes: () => false, inTurn };
    return plan().open({
      ...around,
      disks: poolDisks(pool, selector, {
        disks: remembered ? { now: list, present: async () => remembered } : ofMachine,
        lookAt: lookAtDisk(run),
        owners: new DiskOwners(() => true),
        offeredAs: () => Promise.resolve(undefined),
        takeInTurn,
      }),
    });
  }

  return {
    ...{ disks, runDir, plan, open },
    paths: () => paths,
    reboot: async () => {
      await rm(runDir, { recursive: true, force: true });
      const unplugged: UnpluggedDisk[] = [];
      for (const path of paths) {
        unplugged.unshift(await disks.unplug(path));
      }
      // The other way round, so that every disk gets another name.
      const back: string[] = [];
      for (const each of unplugged) {
        back.unshift(await each.plugIn());
      }
      paths = back;
    },
    cleanUp: () => disks.cleanUp(),
  };
}
