import { mkdir } from 'node:fs/promises';
import { bytes } from '../model/bytes.ts';
import type { RunCommand } from '../platform/run-command.ts';
import { oneAtATime } from '../usecases/one-at-a-time.ts';
import { PoolUnusableError } from '../usecases/ports.ts';
import type { DirectoryOptions } from './directory-options.ts';
import { projectQuota } from './directory-quota.ts';
import type { FolderCut } from './shared/folder-cut.ts';
import { eraseTree, removeTree } from './shared/folder-tree.ts';

/** As a filesystem is when it was just made. */
const dataMode = 0o755;

// Two pools may lie on one filesystem: who chooses a project id waits for all others.
const choosingInTurn = oneAtATime();

const free = (): undefined => undefined;
const nothing = bytes(0);

/** Directories with a project quota each. */
export function quotaCut({ directory }: DirectoryOptions, run: RunCommand): FolderCut {
  const quota = projectQuota(directory, run);
  const given = new Set<number>();
  return {
    check: async () => {
      const why = await quota.whyNot();
      if (why !== undefined) {
        throw new PoolUnusableError(
          `directory.directory is "${directory}": ${why}; or set directory.enforcement to none, and volumes have no limit`,
        );
      }
    },
    whyNotData: free,
    measure: async (folders) => {
      const projects = await quota.projects();
      for (const { record } of folders) {
        const { quotaId: id, bytes: size } = record;
        if (id !== undefined) {
          given.add(id);
          await (projects.get(id)?.limit === size ? undefined : quota.limit(id, size));
        }
      }
      const unlimited = folders.filter(({ record }) => record.quotaId === undefined);
      return {
        usedBy: ({ record }) => projects.get(record.quotaId ?? 0)?.used ?? nothing,
        warnings: unlimited.map(
          ({ record }) => `${record.name} was made with enforcement none, and has no limit`,
        ),
      };
    },
    make: async (data, size, remember) => {
      await choosingInTurn(async () => {
        const id = await quota.freeId(given);
        await remember(id);
        await mkdir(data, { mode: dataMode });
        await quota.give(data, id);
        await quota.limit(id, size);
        given.add(id);
      });
    },
    erase: eraseTree(run),
    destroy: async (data, id) => {
      await removeTree(data, run);
      if (id !== undefined) {
        await quota.limit(id, 0);
        given.delete(id);
      }
    },
  };
}

/** Directories that nothing limits: only what they were promised is added up. */
export function accountedCut({ directory }: DirectoryOptions, run: RunCommand): FolderCut {
  const quota = projectQuota(directory, run);
  return {
    check: async () => {},
    whyNotData: free,
    measure: async () => ({
      // Nobody knows what they use. Their sizes are added up, and no more is held back.
      usedBy: ({ volume }) => volume.allocatedBytes,
      warnings: [
        'directory.enforcement is none: nothing keeps a volume from using more than its size, or all of the filesystem',
      ],
    }),
    make: async (data, _size, remember) => {
      await remember();
      await mkdir(data, { mode: dataMode });
    },
    erase: eraseTree(run),
    destroy: async (data, id) => {
      await removeTree(data, run);
      if (id !== undefined && (await quota.whyNot()) === undefined) {
        await quota.limit(id, 0);
      }
    },
  };
}
