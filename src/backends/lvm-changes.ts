import { formatBytes, type Bytes } from '../model/bytes.ts';
import type { ErasePolicy, VolumeIdentity } from '../model/volume.ts';
import { kernelPath } from '../platform/device-number.ts';
import { refuseIfHeld } from '../platform/held.ts';
import type { RunCommand } from '../platform/run-command.ts';
import { PoolUnusableError } from '../usecases/ports.ts';
import type { Group, LogicalVolume } from './lvm-look.ts';
import type { Layout } from './lvm-options.ts';
import type { RunLvm } from './lvm-run.ts';
import { thinPoolName } from './lvm-thin.ts';
import {
  ourTag,
  partialTag,
  poolTag,
  recogniseAll,
  renameTag,
  uidTag,
  type OwnVolume,
} from './lvm-volumes.ts';
import { eraseDevice } from './shared/erase-device.ts';
import { overwriteWithZeros } from './shared/zeros.ts';

/** Where volumes are changed. */
export interface Change {
  readonly lvm: RunLvm;
  readonly run: RunCommand;
  readonly pool: string;
  /** The name of the volume group. */
  readonly group: string;
  /** Why nothing of it is removed or renamed now, see `whyLeftAlone`. */
  readonly problem?: string | undefined;
}

/** Makes a volume that is marked as partial: until `finishVolumes`, whoever tidies up takes it away. */
export async function createVolume(
  { lvm, pool, group }: Change,
  { name, volumeUid }: VolumeIdentity,
  size: Bytes,
  layout: Layout,
): Promise<void> {
  const tags = [ourTag, poolTag(pool), uidTag(volumeUid), partialTag];
  await lvm([
    ...['lvcreate', '--yes', '--name', name, ...tags.flatMap((tag) => ['--addtag', tag])],
    ...shape(layout, size),
    group,
  ]);
}

/** From then on they are whole. */
export async function finishVolumes(
  { lvm, group }: Change,
  names: readonly string[],
): Promise<void> {
  await lvm(['lvchange', '--deltag', partialTag, ...names.map((name) => `${group}/${name}`)]);
}

/** A fresh volume shows no filesystem of an earlier user; a thin one shows only zeros anyway. */
function shape(layout: Layout, size: Bytes): readonly string[] {
  const fresh = ['--size', `${size}b`, '--zero', 'y', '--wipesignatures', 'y'];
  switch (layout.type) {
    case 'linear':
      return ['--type', 'linear', ...fresh];
    case 'striped':
      return ['--type', 'striped', '--stripes', String(layout.stripes), ...fresh];
    case 'mirrored':
      return ['--type', 'raid1', '--mirrors', String(layout.copies - 1), ...fresh];
    case 'thin':
      return ['--type', 'thin', '--thinpool', thinPoolName, '--virtualsize', `${size}b`];
  }
}

/** Whoever has the volume open sees its new end at once. One step: it has the old size or the new one. */
export async function extendVolume(
  { lvm, group }: Change,
  { name }: LogicalVolume,
  size: Bytes,
): Promise<void> {
  await lvm(['lvextend', '--yes', '--size', `${size}b`, `${group}/${name}`]);
}

/** What changes a group also while a disk is missing, as LVM allows, has to ask first. */
function refuseUnwell({ problem }: Change): void {
  if (problem !== undefined) {
    throw new PoolUnusableError(problem);
  }
}

/**
 * Gives a volume another uid and name: the uid at once, the name in a step that can be finished later.
 *
 * @throws PoolUnusableError while the group is not well
 */
export async function renameVolume(
  change: Change,
  { volume, lv }: OwnVolume,
  to: VolumeIdentity,
): Promise<void> {
  const { lvm, group } = change;
  refuseUnwell(change);
  if (lv.isActive) {
    await refuseIfHeld(await kernelPath(lv.path));
  }
  const isSameName = to.name === volume.name;
  const uids = ['--deltag', uidTag(volume.volumeUid), '--addtag', uidTag(to.volumeUid)];
  const next = isSameName ? [] : ['--addtag', renameTag(to.name)];
  await lvm(['lvchange', ...uids, ...next, `${group}/${volume.name}`]);
  if (!isSameName) {
    await finishRename({ lvm, group }, lv, to.name);
  }
}

async function finishRename(
  { lvm, group }: Pick<Change, 'lvm' | 'group'>,
  { name }: LogicalVolume,
  to: string,
): Promise<void> {
  if (name !== to) {
    await lvm(['lvrename', group, name, to]);
  }
  await lvm(['lvchange', '--deltag', renameTag(to), `${group}/${to}`]);
}

/** Undoes or finishes what was cut off: partial volumes go, half renamed ones get their name. */
export async function finishChanges(change: Change, group: Group): Promise<void> {
  const { partial, renamed } = recogniseAll(group, change.pool);
  for (const { name } of partial) {
    await change.lvm(['lvremove', '--yes', `${group.name}/${name}`]);
  }
  for (const { lv, to } of renamed) {
    const isTaken = group.volumes.some((each) => each !== lv && each.name === to);
    if (!isTaken) {
      await finishRename(change, lv, to);
    }
  }
}

export async function activate({ lvm, group }: Change, lv: LogicalVolume): Promise<void> {
  if (!lv.isActive) {
    await lvm(['lvchange', '--activate', 'y', `${group}/${lv.name}`]);
  }
}

/** @returns what was done to the bytes, for people. @throws PoolUnusableError while the group is not well */
export async function eraseVolume(
  change: Change,
  lv: LogicalVolume,
  erase: ErasePolicy,
  signal: AbortSignal,
): Promise<string> {
  refuseUnwell(change);
  await activate(change, lv);
  const device = await kernelPath(lv.path);
  await refuseIfHeld(device);
  const done = lv.layout.includes('thin')
    ? await eraseThin({ device, bytes: lv.bytes }, erase, change.run, signal)
    : await eraseDevice(device, erase, change.run, signal);
  await change.lvm(['lvremove', '--yes', `${change.group}/${lv.name}`]);
  return done;
}

/** The pool hands no block to anybody before it reads as zeros, so nothing has to be written. */
async function eraseThin(
  { device, bytes: size }: { readonly device: string; readonly bytes: Bytes },
  erase: ErasePolicy,
  run: RunCommand,
  signal: AbortSignal,
): Promise<string> {
  const text = formatBytes(size);
  switch (erase) {
    case 'discard':
      await run('blkdiscard', [device], signal);
      return `discarded ${text}`;
    case 'zero':
      await overwriteWithZeros(device, 0, signal);
      return `${text} overwritten with zeros`;
    case 'none':
      return `${text} left as they are, in blocks that the thin pool zeroes before it uses them again`;
  }
}
