import { createHash } from 'node:crypto';
import type { Bytes } from '../model/bytes.ts';
import { whyNotTaken, type Disk } from '../model/disk.ts';
import { PermanentError } from '../model/errors.ts';
import { refuseIfHeld } from '../platform/held.ts';
import { CommandError } from '../platform/run-command.ts';
import type { DiskInPool } from '../usecases/ports.ts';
import type { BackendSurroundings, PoolDisk } from './backend.ts';
import type { Group, GroupDisk } from './lvm-look.ts';
import type { RunLvm } from './lvm-run.ts';
import { isMember, refuseSelected, toShown } from './lvm-shown-disks.ts';
import { ourTag, poolTag } from './lvm-volumes.ts';
import { endsOf, zeroRegions } from './shared/zeros.ts';

export interface DiskSettling {
  readonly around: BackendSurroundings;
  readonly lvm: RunLvm;
  /** Of the volume group, whether it is there or not. */
  readonly name: string;
  readonly extentBytes: Bytes;
}

/**
 * Makes the volume group of a pool be made of the disks that are selected: blank ones are taken,
 * and those that are no longer selected leave it once nothing is on them. May be repeated after a
 * crash at any step.
 *
 * @param group - as it is before; nothing where there is none
 * @returns what became of each disk, and whether the volume group was changed
 */
export async function settleDisks(
  settling: DiskSettling,
  group: Group | undefined,
  signal: AbortSignal,
): Promise<{ readonly disks: readonly DiskInPool[]; readonly isChanged: boolean }> {
  const listed = await settling.around.disks.list(signal);
  const members = group?.disks ?? [];
  // LVM changes nothing of a volume group that lacks a disk.
  const isWhole = members.every(({ isMissing }) => !isMissing);
  const left = isWhole ? await releaseUnused(settling, group, listed) : [];
  const kept = members.filter((each) => !left.includes(each));
  const disks: DiskInPool[] = [];
  let isChanged = left.length > 0;
  for (const member of kept) {
    const disk = listed.find((each) => isMember(each, member));
    isChanged = (isWhole && (await openOrClose(settling, member, disk))) || isChanged;
    disks.push(toShown(settling.name, member, disk));
  }
  const others = listed.filter((each) => !members.some((member) => isMember(each, member)));
  const taken = isWhole
    ? await takeSelected(settling, others, kept.length > 0, signal)
    : refuseSelected(settling.name, others);
  const hasTaken = taken.some(({ state }) => state === 'used');
  return { disks: [...disks, ...taken], isChanged: isChanged || hasTaken };
}

async function takeSelected(
  settling: DiskSettling,
  candidates: readonly PoolDisk[],
  isGroupThere: boolean,
  signal: AbortSignal,
): Promise<readonly DiskInPool[]> {
  const outcomes: DiskInPool[] = [];
  for (const each of candidates) {
    const isThere = isGroupThere || outcomes.some(({ state }) => state === 'used');
    const outcome = await takeOrRefuse(settling, each, isThere, signal);
    outcomes.push(...(outcome ? [outcome] : []));
  }
  return outcomes;
}

/** A disk that is no longer selected gets no new volumes. @returns whether anything was done */
async function openOrClose(
  { lvm }: DiskSettling,
  member: GroupDisk,
  found: PoolDisk | undefined,
): Promise<boolean> {
  if (found === undefined || found.selected === member.isOpen) {
    return false;
  }
  await lvm(['pvchange', '--allocatable', found.selected ? 'y' : 'n', member.path]);
  return true;
}

/** @param group - none of its disks is missing. @returns the disks that have left */
async function releaseUnused(
  { lvm, name }: DiskSettling,
  group: Group | undefined,
  listed: readonly PoolDisk[],
): Promise<readonly GroupDisk[]> {
  if (group === undefined) {
    return [];
  }
  const leaving = group.disks.filter(
    (member) =>
      member.freeExtents === member.extents &&
      listed.some((each) => isMember(each, member) && !each.selected),
  );
  if (leaving.length === group.disks.length) {
    await lvm(['vgremove', name]);
  } else if (leaving.length > 0) {
    await lvm(['vgreduce', name, ...leaving.map(({ path }) => path)]);
  }
  for (const member of leaving) {
    for (const { disk } of listed.filter((each) => isMember(each, member))) {
      await wipe(disk);
    }
  }
  return leaving;
}

/** Makes a disk that belongs to no volume group as blank as it came. */
async function wipe({ path, bytes }: Disk): Promise<void> {
  await refuseIfHeld(path);
  await zeroRegions(path, endsOf({ start: 0, bytes }));
}

/** @returns nothing for a disk that is no concern of the pool */
async function takeOrRefuse(
  settling: DiskSettling,
  { disk, selected }: PoolDisk,
  isThere: boolean,
  signal: AbortSignal,
): Promise<DiskInPool | undefined> {
  const { id, path, bytes, content } = disk;
  if (!selected) {
    if (content.signature === lvmSignature && (await isHalfTaken(settling, disk))) {
      await wipe(disk);
    }
    return undefined;
  }
  const why = whyNotTaken(disk) ?? (await whyTakingFails(settling, disk, isThere, signal));
  if (why !== undefined && !(await isHalfTaken(settling, disk))) {
    return { id, path, bytes, state: 'refused', message: why };
  }
  if (why !== undefined) {
    await addToGroup(settling, path, isThere);
  }
  return { id, path, bytes, state: 'used' };
}

async function whyTakingFails(
  settling: DiskSettling,
  disk: Disk,
  isThere: boolean,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { around, lvm } = settling;
  const mark = async (path: string): Promise<void> => {
    const uuid = markFor(around.pool, disk);
    await lvm(['pvcreate', '--yes', '--uuid', uuid, '--norestorefile', path]);
    await addToGroup(settling, path, isThere);
  };
  try {
    await around.disks.take(disk, mark, signal);
    return undefined;
  } catch (error) {
    if (error instanceof PermanentError) {
      return error.message;
    }
    throw error;
  }
}

async function addToGroup(
  { lvm, name, extentBytes, around }: DiskSettling,
  path: string,
  isThere: boolean,
): Promise<void> {
  if (isThere) {
    await lvm(['vgextend', name, path]);
    return;
  }
  const tags = [ourTag, poolTag(around.pool)].flatMap((tag) => ['--addtag', tag]);
  await lvm(['vgcreate', '--physicalextentsize', `${extentBytes}b`, ...tags, name, path]);
}

const lvmSignature = 'LVM2_member';

/** Cut off between the two steps of taking or releasing it: it has the pool's mark and no group. */
async function isHalfTaken({ around, lvm }: DiskSettling, disk: Disk): Promise<boolean> {
  const { signature = lvmSignature, holders, partitions } = disk.content;
  if (signature !== lvmSignature || holders.length > 0 || partitions.length > 0) {
    return false;
  }
  try {
    const columns = ['--reportformat', 'json', '--options', 'pv_uuid,vg_name'];
    const text = await lvm(['pvs', ...columns, disk.path]);
    const { report } = JSON.parse(text) as { report: { pv: Record<string, string>[] }[] };
    const [found] = report.flatMap(({ pv }) => pv);
    return found?.['vg_name'] === '' && found['pv_uuid'] === markFor(around.pool, disk);
  } catch (error) {
    if (error instanceof CommandError && error.stderr.includes('Failed to find physical volume')) {
      return false;
    }
    throw error;
  }
}

/** The UUID that this pool, and nobody else, gives to this disk. */
function markFor(pool: string, { id }: Disk): string {
  const hex = createHash('sha256').update(`berth pool ${pool} disk ${id}`).digest('hex');
  const parts = /^(.{6})(.{4})(.{4})(.{4})(.{4})(.{4})(.{6})/.exec(hex);
  return parts?.slice(1).join('-') ?? hex;
}
