import { formatBytes } from '../model/bytes.ts';
import { sharedLook } from '../usecases/one-at-a-time.ts';
import { PoolUnusableError, type DiskInPool } from '../usecases/ports.ts';
import type { BackendSurroundings } from './backend.ts';
import { settleDisks } from './lvm-disks.ts';
import { lookAtGroup, type Group } from './lvm-look.ts';
import type { Layout, LvmOptions } from './lvm-options.ts';
import type { RunLvm } from './lvm-run.ts';
import { settleThinPool } from './lvm-thin.ts';
import { poolTag } from './lvm-volumes.ts';
import { whyNoTarget, type MapperTarget } from './shared/mapper.ts';
import { once } from './shared/once.ts';

export interface PoolGroup {
  /** As it is now; nothing where a pool of disks has got none yet. @throws PoolUnusableError */
  look(): Promise<Group | undefined>;
  /** Does all that makes new volumes possible. Never twice at once. @param before - what `look` has just found */
  settle(before: Group | undefined, signal: AbortSignal): Promise<SettledGroup>;
}

export interface SettledGroup {
  readonly group: Group | undefined;
  readonly disks?: readonly DiskInPool[];
}

/** What the device mapper makes the volumes of each layout of. */
const targets: Readonly<Record<Layout['type'], MapperTarget>> = {
  linear: 'linear',
  striped: 'striped',
  mirrored: 'raid',
  thin: 'thin-pool',
};

export function groupNameOf({ volumeGroup }: LvmOptions, pool: string): string {
  return volumeGroup ?? `berth-${pool}`;
}

/** The volume group of a pool: the one that the operator names, or one made of selected disks. */
export function poolGroup(
  options: LvmOptions,
  around: BackendSurroundings,
  lvm: RunLvm,
): PoolGroup {
  const { volumeGroup, extentBytes, layout } = options;
  const { pool } = around;
  const name = groupNameOf(options, pool);

  const look = sharedLook(async () => {
    const group = await lookAtGroup(lvm, name);
    if (group === undefined) {
      refuseMissing();
      return undefined;
    }
    refuseOthers(group);
    return group;
  });

  function refuseMissing(): void {
    if (volumeGroup !== undefined) {
      throw new PoolUnusableError(
        `lvm.volumeGroup is "${volumeGroup}": this node has no such volume group`,
      );
    }
    if (around.hasVolumes()) {
      throw new PoolUnusableError(
        `volume group ${name} is not there, and volumes were made in it: are its disks missing?`,
      );
    }
  }

  function refuseOthers(group: Group): void {
    if (volumeGroup === undefined && !group.tags.includes(poolTag(pool))) {
      throw new PoolUnusableError(
        `volume group ${name} is there and was not made for this pool, which its tag ${poolTag(pool)} would say: it is left as it is`,
      );
    }
    if (group.extentBytes !== extentBytes) {
      throw new PoolUnusableError(
        `lvm.extentSize is ${formatBytes(extentBytes)}: volume group ${name} has extents of ${formatBytes(group.extentBytes)}, which alone is allowed`,
      );
    }
  }

  /** A disk is not taken, nor room promised, where the kernel could make no volume of it. */
  const able = once(async () => {
    const why = await whyNoTarget(targets[layout.type], around.run);
    if (why !== undefined) {
      throw new PoolUnusableError(`lvm.type is ${layout.type}: ${why}`);
    }
  });

  async function settle(before: Group | undefined, signal: AbortSignal): Promise<SettledGroup> {
    await able.done();
    let group = before;
    let disks: readonly DiskInPool[] | undefined;
    if (volumeGroup === undefined) {
      const settled = await settleDisks({ around, lvm, name, extentBytes }, group, signal);
      ({ disks } = settled);
      group = settled.isChanged ? await look() : group;
    }
    if (layout.type === 'thin' && group !== undefined) {
      const isChanged = await settleThinPool({ lvm, pool }, group, layout.thin);
      group = isChanged ? await look() : group;
    }
    return { group, ...(disks && { disks }) };
  }

  return { look, settle };
}
