import { lstat, statfs } from 'node:fs/promises';
import { bytes } from '../model/bytes.ts';
import { ifThere } from '../platform/files.ts';
import type { RunCommand } from '../platform/run-command.ts';
import { PoolUnusableError } from '../usecases/ports.ts';
import type { BtrfsOptions } from './btrfs-options.ts';
import { btrfsQuota } from './btrfs-quota.ts';
import type { FolderCut } from './shared/folder-cut.ts';
import type { Folder } from './shared/folder-lookup.ts';
import { makeChangeable, removeTree } from './shared/folder-tree.ts';
import { once } from './shared/once.ts';

/** linux/magic.h */
const btrfsMagic = 0x9123683e;
/** The root of every subvolume has this inode: linux/btrfs_tree.h, BTRFS_FIRST_FREE_OBJECTID. */
const subvolumeInode = 256;

/** Subvolumes, each with a limit on what its own quota group refers to. */
export function btrfsCut({ directory }: BtrfsOptions, run: RunCommand): FolderCut {
  const quota = btrfsQuota(directory, run);
  // A filesystem that was mounted anew in the meantime may be another one.
  let checked: { device: bigint; counts: ReturnType<typeof once> } | undefined;

  const idOf = async (data: string): Promise<number> =>
    Number((await run('btrfs', ['inspect-internal', 'rootid', data])).trim());

  return {
    check: async (signal) => {
      if ((await statfs(directory)).type !== btrfsMagic) {
        throw new PoolUnusableError(
          `btrfs.directory is "${directory}": its filesystem is not btrfs, which alone is allowed`,
        );
      }
      const { dev: device } = await lstat(directory, { bigint: true });
      if (checked?.device !== device) {
        checked = { device, counts: once(() => quota.enable(signal)) };
      }
      await checked.counts.done();
    },
    whyNotData: ({ ino }) =>
      ino === BigInt(subvolumeInode) ? undefined : 'its data is no subvolume, so it has no limit',
    measure: async (folders) => {
      const [groups, parents] = await Promise.all([quota.groups(), quota.parents()]).catch(
        (error: unknown) => {
          // Somebody may have turned quota off: it is turned on before the next call.
          checked = undefined;
          throw error;
        },
      );
      for (const { record } of folders) {
        const { quotaId: id, bytes: size } = record;
        if (id !== undefined && groups.get(id)?.limit !== size) {
          await quota.limit(id, size);
        }
      }
      return {
        usedBy: ({ record }) => groups.get(record.quotaId ?? 0)?.used ?? bytes(0),
        warnings: folders.flatMap((folder) => warnOfSubvolumes(folder, parents)),
      };
    },
    make: async (data, size, remember) => {
      await run('btrfs', ['subvolume', 'create', data]);
      const id = await idOf(data);
      await remember(id);
      await quota.limit(id, size);
    },
    erase: async (_data, erase, size) => {
      if (erase === 'none') {
        return `${size} left as they are, subvolume removed`;
      }
      return erase === 'discard'
        ? `${size} given back to the filesystem: subvolume removed, nothing overwritten`
        : `${size} not overwritten, since btrfs writes to other places than where the old bytes are: subvolume removed, old blocks wait to be used again`;
    },
    destroy: async (data, quotaId) => {
      const stat = await ifThere(lstat(data));
      const isSubvolume = stat?.isDirectory() === true && stat.ino === subvolumeInode;
      const id = isSubvolume ? await idOf(data) : quotaId;
      await (isSubvolume ? deleteSubvolume(data, run) : removeTree(data, run));
      if (id !== undefined) {
        // Only then its space is free.
        await run('btrfs', ['subvolume', 'sync', directory, String(id)]);
        await quota.destroy(id);
      }
    },
  };
}

async function deleteSubvolume(data: string, run: RunCommand): Promise<void> {
  const remove = (): Promise<string> =>
    run('btrfs', ['subvolume', 'delete', '--commit-after', data]);
  try {
    await remove();
  } catch {
    await deleteNested(data, run);
    await remove();
  }
}

/** Subvolumes and snapshots that a pod has made in its volume, the deepest ones first. */
async function deleteNested(data: string, run: RunCommand): Promise<void> {
  await makeChangeable(data, run);
  const nested = ['-mindepth', '1', '-type', 'd', '-inum', String(subvolumeInode)];
  const writable = ['btrfs', 'property', 'set', '-f', '-t', 'subvol', '{}', 'ro', 'false'];
  await run('find', [data, ...nested, '-exec', ...writable, ';']);
  const remove = ['btrfs', 'subvolume', 'delete', '--commit-each', '{}'];
  await run('find', [data, '-depth', ...nested, '-exec', ...remove, ';']);
}

/** What they hold is counted by groups of their own, past the limit of the volume. */
function warnOfSubvolumes(
  { record }: Folder,
  parents: ReadonlyMap<number, number>,
): readonly string[] {
  const below = new Set([record.quotaId]);
  // Names are their makers' own, and may look like lines of the list: each is looked at only once.
  for (let before = 0; before < below.size;) {
    before = below.size;
    parents.forEach((parent, id) => below.has(parent) && below.add(id));
  }
  const nested = below.size - 1;
  return nested === 0
    ? []
    : [`${record.name} holds ${nested} subvolumes of its own, which its limit does not count`];
}
