import { rm } from 'node:fs/promises';
import { err, ok } from '../model/result.ts';
import type { ErasePolicy, VolumeIdentity } from '../model/volume.ts';
import { ensureLink } from '../platform/files.ts';
import {
  ForeignVolumeError,
  type BackendVolume,
  type PoolInventory,
  type PoolUsage,
  type StorageBackend,
  type VolumeRequest,
} from '../usecases/ports.ts';
import type { Backend, BackendSurroundings, PoolPlan } from './backend.ts';
import { activate, eraseVolume, finishChanges, renameVolume, type Change } from './lvm-changes.ts';
import { growVolume } from './lvm-growth.ts';
import { groupNameOf, poolGroup } from './lvm-group.ts';
import { dropStaleLvmLinks } from './lvm-links.ts';
import type { Group } from './lvm-look.ts';
import { allocatedFor, parseLvmOptions, whyNotEither, type LvmOptions } from './lvm-options.ts';
import { makeAll, takeFresh, type LvmMaking, type Wish } from './lvm-making.ts';
import { leadAllBack, leadBack } from './lvm-refresh.ts';
import { lvmRunner } from './lvm-run.ts';
import { measure, usageOf, whyLeftAlone } from './lvm-space.ts';
import { signsOfGroup } from './lvm-signs.ts';
import { ownVolume, recognise, recogniseAll, type OwnVolume } from './lvm-volumes.ts';
import { once } from './shared/once.ts';
import { planAdoption } from './shared/proven.ts';
import { together } from './shared/together.ts';

/** Volumes are logical volumes of LVM, known by their tags. */
export const lvm: Backend = {
  parse: (source, devices) => {
    const options = parseLvmOptions(source);
    const both = options.ok ? whyNotEither(options.value, devices) : undefined;
    return !options.ok ? options : both === undefined ? ok(planFor(options.value)) : err(both);
  },
  dropStaleLinks: dropStaleLvmLinks,
};

function planFor(options: LvmOptions): PoolPlan {
  const { volumeGroup } = options;
  return {
    ...(volumeGroup !== undefined && { source: `volume group ${volumeGroup}` }),
    gives: 'device',
    allocatedFor: (wanted) => allocatedFor(options, wanted),
    signs: (pool) => signsOfGroup(options, groupNameOf(options, pool)),
    open: (around) => openLvmPool(options, around),
  };
}

function openLvmPool(options: LvmOptions, around: BackendSurroundings): StorageBackend {
  const { pool, runDir, run, inTurn } = around;
  const lvmCommand = lvmRunner(run);
  const pooled = poolGroup(options, around, lvmCommand);
  const link = (name: string): string => `${runDir}/${name}`;
  const unlink = (name: string): Promise<void> => {
    making.fresh.delete(name);
    return rm(link(name), { force: true });
  };
  const measured = (group?: Group): PoolUsage => measure(group, pool, options);
  const changeIn = (group: Group): Change => {
    const problem = whyLeftAlone(group, measured(group));
    return { lvm: lvmCommand, run, pool, group: group.name, problem };
  };

  /** What a crash has left waits while the group is not well: volumes in it are of use meanwhile. */
  async function tidy(): Promise<void> {
    const group = await pooled.look();
    if (group && changeIn(group).problem !== undefined) {
      tidied.again();
    } else if (group) {
      await finishChanges(changeIn(group), group);
    }
  }

  // In its turn, so that what is being made is never taken for what a crash has left.
  const tidied = once(() => inTurn(tidy));

  /** At once again tidies up where it was cut off. */
  async function undoing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      await making.tidy();
      throw error;
    }
  }

  async function changing<T>(work: () => Promise<T>): Promise<T> {
    await tidied.done();
    return inTurn(() => undoing(work));
  }

  async function usage(signal: AbortSignal): Promise<PoolUsage> {
    const settled = await pooled.settle(await pooled.look(), signal);
    const group = settled.group && (await leadAllBack(changeIn(settled.group), settled.group));
    return usageOf({ ...settled, group }, pool, options);
  }

  async function list(): Promise<PoolInventory> {
    await tidied.done();
    const group = await pooled.look();
    const { volumes, strays } = group ? recogniseAll(group, pool) : { volumes: [], strays: [] };
    return {
      volumes: volumes.map(({ volume }) => volume),
      strays: strays.map(({ stray }) => stray),
    };
  }

  async function find(identity: VolumeIdentity): Promise<BackendVolume | undefined> {
    await tidied.done();
    const group = await pooled.look();
    return group && ownVolume(group, pool, identity)?.volume;
  }

  const making: LvmMaking = {
    ...{ pool, options, pooled, changeIn, measured, fresh: new Map() },
    tidy: () => tidy().catch(() => tidied.again()),
  };
  const make = together({
    ...{ inTurn, nameOf: ({ request }: Wish) => request.name },
    serve: (wishes) => undoing(() => makeAll(making, wishes)),
  });

  async function ensure(request: VolumeRequest, signal: AbortSignal): Promise<BackendVolume> {
    await tidied.done();
    return make({ request, signal });
  }

  /** @throws Error where it is not there */
  async function existing(identity: VolumeIdentity): Promise<{ group: Group; found: OwnVolume }> {
    const group = await pooled.look();
    const found = group && ownVolume(group, pool, identity);
    if (group === undefined || found === undefined) {
      throw new Error(`no logical volume of pool ${pool} is ${identity.name}`);
    }
    return { group, found };
  }

  async function grow(request: VolumeRequest): Promise<BackendVolume> {
    const { group, found } = await existing(request);
    return growVolume(found, request, { change: changeIn(group), options, room: measured(group) });
  }

  async function attach(identity: VolumeIdentity): Promise<string> {
    await tidied.done();
    const device = (await takeFresh(making, identity)) ?? (await activated(identity));
    await ensureLink(link(identity.name), device);
    return link(identity.name);
  }

  async function activated(identity: VolumeIdentity): Promise<string> {
    const { group, found } = await existing(identity);
    await activate(changeIn(group), found.lv);
    await leadBack(changeIn(group), found.lv);
    return found.lv.path;
  }

  async function adopt(from: VolumeIdentity, to: VolumeRequest): Promise<BackendVolume> {
    const group = await pooled.look();
    if (group === undefined) {
      throw new ForeignVolumeError(`${from.name} is not there: there is nothing to adopt`);
    }
    const heir = recognise(group, pool, to.name);
    const own = (identity: VolumeIdentity) => ownVolume(group, pool, identity);
    const { isDone, found } = await planAdoption(heir, own, { from, to });
    if (!isDone) {
      await renameVolume(changeIn(group), found, to);
      await unlink(from.name);
    }
    return { ...found.volume, name: to.name, volumeUid: to.volumeUid };
  }

  async function remove(
    { name, volumeUid }: VolumeIdentity,
    erase: ErasePolicy,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    await tidied.done();
    const group = await pooled.look();
    const found = group && recognise(group, pool, name);
    if (found !== undefined && found.volume.volumeUid !== volumeUid) {
      return undefined;
    }
    const done = group && found && (await eraseVolume(changeIn(group), found.lv, erase, signal));
    await unlink(name);
    return done;
  }

  async function removeStray(
    name: string,
    erase: ErasePolicy,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    await tidied.done();
    const group = await pooled.look();
    const lv = group?.volumes.find((each) => each.name === name);
    if (group === undefined || lv === undefined) {
      return undefined;
    }
    if (!recogniseAll(group, pool).strays.some((each) => each.lv === lv)) {
      throw new ForeignVolumeError(`${lv.path} is a volume, or does not belong to pool ${pool}`);
    }
    const done = await eraseVolume(changeIn(group), lv, erase, signal);
    await unlink(name);
    return done;
  }

  return {
    ...{ list, find, ensure, attach, remove, removeStray },
    usage: (signal) => changing(() => usage(signal)),
    grow: (request) => changing(() => grow(request)),
    adopt: (from, to) => changing(() => adopt(from, to)),
  };
}
