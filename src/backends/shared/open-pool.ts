import type { DeviceSelector } from '../../model/device-selector.ts';
import type { PoolLimits } from '../../model/pool-limits.ts';
import type { RememberedDisks } from '../../platform/remembered-disks.ts';
import type { StorageBackend } from '../../usecases/ports.ts';
import type { BackendSurroundings, PoolPlan } from '../backend.ts';
import { tellingOwners } from './disk-owners.ts';
import { limited } from './limited.ts';
import { poolDisks, type SharedDisks } from './pool-disks.ts';
import { remembered } from './remembered.ts';

/** What the pools of a node share. */
export interface SharedGround extends SharedDisks {
  readonly disks: Pick<RememberedDisks, 'now' | 'present' | 'version'>;
}

/** What of a declaration says how the pool is opened. */
export interface OpenedPlan extends Pick<PoolPlan, 'open' | 'signs' | 'allocatedFor'> {
  readonly devices: DeviceSelector | undefined;
  readonly limits: PoolLimits;
}

/** Opens a declared pool with all that is the same for every backend. */
export function openPool(
  { open, signs, devices, limits, allocatedFor }: OpenedPlan,
  around: Omit<BackendSurroundings, 'disks'>,
  shared: SharedGround,
): StorageBackend {
  const { pool, now } = around;
  const opened = open({ ...around, disks: poolDisks(pool, devices, shared) });
  const storage =
    signs === undefined
      ? opened
      : remembered(opened, {
          signs: async () => `${await shared.disks.version()}\n${await signs(pool)}`,
          now,
        });
  return limited(tellingOwners(storage, pool, shared.owners), { pool, limits }, allocatedFor);
}
