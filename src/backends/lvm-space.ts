import { bytes, formatBytes, minusBytes, sumBytes, type Bytes } from '../model/bytes.ts';
import { NoSpaceError } from '../model/errors.ts';
import { isReadOnly, judgeLvm, type LvmState } from '../model/lvm-state.ts';
import { PoolUnusableError, type PoolUsage, type ThinUsage } from '../usecases/ports.ts';
import type { SettledGroup } from './lvm-group.ts';
import type { Group, LogicalVolume } from './lvm-look.ts';
import type { Layout, LvmOptions } from './lvm-options.ts';
import type { ThinOptions } from './lvm-thin-options.ts';
import { recogniseAll } from './lvm-volumes.ts';

type Room = Omit<PoolUsage, 'disks'>;

/** What a pool has and can give: nothing where it has no volume group yet. */
export function measure(group: Group | undefined, pool: string, { layout }: LvmOptions): Room {
  if (group === undefined) {
    return emptyUsage;
  }
  const { volumes, thinPool } = recogniseAll(group, pool);
  const names = volumes.map(({ volume }) => volume.name);
  const allocated = sumBytes(volumes.map(({ volume }) => volume.allocatedBytes));
  const known = { allocated, volumes: names, under: devicesOf(group, thinPool) };
  const lacking = lackOf(group);
  if (layout.type === 'thin') {
    const thin = measureThin(thinPool, layout.thin, allocated);
    return { ...known, ...thin, ...lacking, ...brokenOf(group, thinPool) };
  }
  const room = lacking ?? roomFor(group, rowsOf(layout), layout.type === 'mirrored' ? 2 : 1);
  return { ...known, total: sumBytes([allocated, room.free]), ...room };
}

function devicesOf({ disks }: Group, thinPool: LogicalVolume | undefined): readonly string[] {
  const there = disks.flatMap(({ path, isMissing }) => (isMissing ? [] : [path]));
  return thinPool?.isActive === true ? [...there, thinPool.path] : there;
}

/** All that is told of a pool. */
export function usageOf(
  { group, disks }: SettledGroup,
  pool: string,
  options: LvmOptions,
): PoolUsage {
  const room = measure(group, pool, options);
  const ill = group ? illVolumes(group, pool).filter((each) => each !== room.problem) : [];
  const warnings = [...(room.warnings ?? []), ...ill];
  return { ...room, ...(disks && { disks }), ...(warnings.length > 0 && { warnings }) };
}

/** A volume group that lacks a disk cannot be changed. */
function lackOf(group: Group): Pick<PoolUsage, 'free' | 'largest' | 'warnings'> | undefined {
  const missing = group.disks.filter(({ isMissing }) => isMissing).length;
  return missing === 0
    ? undefined
    : { free: bytes(0), largest: bytes(0), warnings: [missingText(group, missing)] };
}

/** A thin pool that cannot be written serves what is in it, and makes nothing. */
function brokenOf(
  group: Group,
  thinPool: LogicalVolume | undefined,
): Pick<PoolUsage, 'free' | 'largest' | 'problem'> | undefined {
  const state = thinPool && stateOf(group, thinPool);
  const problem = state && isReadOnly(state) ? judgeLvm(state)?.message : undefined;
  return problem === undefined ? undefined : { free: bytes(0), largest: bytes(0), problem };
}

/**
 * Why no volume is removed or renamed now. Of a thin pool that cannot be written LVM would forget volumes whose blocks stay taken.
 * A disk that is missing while its group is changed belongs to it no more when it is back, until a person says so.
 */
export function whyLeftAlone(group: Group, { problem }: PoolUsage): string | undefined {
  return problem ?? lackOf(group)?.warnings?.[0];
}

function stateOf({ name }: Group, lv: LogicalVolume): LvmState {
  return { ...lv, name: `${name}/${lv.name}` };
}

/** What LVM says of volumes of the pool that are not well. */
export function illVolumes(group: Group, pool: string): readonly string[] {
  const { volumes, thinPool } = recogniseAll(group, pool);
  const all = [...volumes.map(({ lv }) => lv), ...(thinPool ? [thinPool] : [])];
  return all.flatMap((lv) => {
    const ill = judgeLvm(stateOf(group, lv));
    return ill ? [ill.message] : [];
  });
}

function missingText({ name }: Group, count: number): string {
  return `volume group ${name} lacks ${count} of its disks: nothing new can be made in it until they are back, or taken out of it by hand`;
}

/** How many disks each extent of a volume needs at once. */
function rowsOf(layout: Layout): number {
  switch (layout.type) {
    case 'striped':
      return layout.stripes;
    case 'mirrored':
      return layout.copies;
    default:
      return 1;
  }
}

/**
 * What volumes that need room on `rows` different disks at once can get. Disks with 10, 6 and 1
 * extents hold 7 pairs, and 6 of them in one volume.
 */
function roomFor(
  { disks, extentBytes }: Group,
  rows: number,
  leastExtents: number,
): Pick<PoolUsage, 'free' | 'largest'> {
  const open = disks.filter(({ isOpen }) => isOpen);
  const free = open.map(({ freeExtents }) => freeExtents).sort((a, b) => b - a);
  const toBytes = (count: number): Bytes =>
    bytes((count >= leastExtents ? count : 0) * rows * extentBytes);
  if (rows === 1) {
    const all = toBytes(free.reduce((sum, count) => sum + count, 0));
    return { free: all, largest: all };
  }
  return { free: toBytes(mostTuples(free, rows)), largest: toBytes(free[rows - 1] ?? 0) };
}

/** How often one can be taken from `rows` different ones at once. */
function mostTuples(counts: readonly number[], rows: number): number {
  const sum = counts.reduce((total, count) => total + count, 0);
  let most = Math.floor(sum / rows);
  for (;;) {
    const usable = counts.reduce((total, count) => total + Math.min(count, most), 0);
    const next = Math.min(most, Math.floor(usable / rows));
    if (next === most) {
      return most;
    }
    most = next;
  }
}

type ThinRoom = Pick<PoolUsage, 'total' | 'free' | 'largest' | 'warnings' | 'thin'>;

function measureThin(
  thinPool: LogicalVolume | undefined,
  options: ThinOptions,
  committed: Bytes,
): ThinRoom {
  if (thinPool === undefined) {
    return { total: committed, free: bytes(0), largest: bytes(0) };
  }
  const { bytes: physical, dataUsed, metadataUsed } = thinPool;
  const total = bytes(Math.floor(physical * options.overcommit));
  if (dataUsed === undefined || metadataUsed === undefined) {
    const why = `how full ${thinPool.path} is cannot be told: it is not active; nothing new is made`;
    return { total, free: bytes(0), largest: bytes(0), warnings: [why] };
  }
  const used = bytes(Math.ceil(physical * dataUsed));
  const { overcommit } = options;
  const thin: ThinUsage = { physical, used, committed, overcommit, metadataUsed };
  const warnings = thinWarnings(thin, options, Math.max(dataUsed, metadataUsed));
  const isRefused = Math.max(dataUsed, metadataUsed) >= options.refuseAt;
  const free = isRefused ? bytes(0) : minusBytes(total, committed);
  return { total, free, largest: free, thin, ...(warnings.length > 0 && { warnings }) };
}

function thinWarnings(
  { physical, used, committed, metadataUsed }: ThinUsage,
  { warnAt, refuseAt }: ThinOptions,
  fullest: number,
): readonly string[] {
  if (fullest < warnAt) {
    return [];
  }
  const percent = (part: number): string => `${Math.floor(part * 100)}%`;
  const ratio = Math.round((committed / physical) * 100) / 100;
  const facts =
    `the thin pool has used ${formatBytes(used)} of ${formatBytes(physical)} (${percent(used / physical)}) ` +
    `and ${percent(metadataUsed)} of its metadata; ${formatBytes(committed)} are promised, ${ratio} times what there is`;
  const isRefused = fullest >= refuseAt;
  return [isRefused ? `${facts}; from ${percent(refuseAt)} on nothing new is made` : facts];
}

/** Why a volume that needs `wanted` bytes cannot be made. */
export function noSpace(
  pool: string,
  room: PoolUsage,
  wanted: Bytes,
): NoSpaceError | PoolUnusableError {
  const { total, free, largest, problem, warnings = [] } = room;
  if (problem !== undefined) {
    return new PoolUnusableError(problem);
  }
  const why = warnings.length > 0 ? `: ${warnings.join('; ')}` : '';
  return new NoSpaceError(
    `pool ${pool} has ${formatBytes(free)} free of ${formatBytes(total)}, at most ${formatBytes(largest)} for one volume; ` +
      `${formatBytes(wanted)} are needed (${wanted - largest} bytes more)${why}`,
  );
}

const noBytes = sumBytes([]);
const emptyUsage: Room = {
  total: noBytes,
  allocated: noBytes,
  free: noBytes,
  largest: noBytes,
  volumes: [],
};
