import type { DiskInPool } from '../usecases/ports.ts';
import type { PoolDisk } from './backend.ts';
import type { GroupDisk } from './lvm-look.ts';

/** Whether a disk of the node is the one of the volume group. */
export function isMember({ disk }: PoolDisk, { path }: GroupDisk): boolean {
  return disk.path === path || disk.links.includes(path);
}

/** A disk of the volume group. @param found - the same as the node knows it, where it is there */
export function toShown(group: string, member: GroupDisk, found: PoolDisk | undefined): DiskInPool {
  const { uuid, bytes, path } = member;
  const id = `lvm-${uuid}`;
  if (member.isMissing) {
    const message =
      found === undefined
        ? 'it is a part of the volume group, and is not there'
        : `it is back, and the volume group was changed without it: \`vgextend --restoremissing ${group} ${path}\` takes it in again`;
    return { id, ...(found && { path }), bytes, state: 'missing', message };
  }
  if (found === undefined) {
    return { id, path, bytes, state: 'used' };
  }
  const { disk, selected } = found;
  return { id: disk.id, path: disk.path, bytes: disk.bytes, state: selected ? 'used' : 'leaving' };
}

/** The disk that is missing may come back: what comes in its place is left as it is until then. */
export function refuseSelected(
  group: string,
  candidates: readonly PoolDisk[],
): readonly DiskInPool[] {
  const message = `it is not taken while volume group ${group} lacks a disk: bring that one back, or take it out of the group by hand (vgreduce --removemissing ${group})`;
  return candidates
    .filter(({ selected }) => selected)
    .map(({ disk: { id, path, bytes } }) => ({ id, path, bytes, state: 'refused', message }));
}
