import { bytes, KiB, type Bytes } from '../model/bytes.ts';
import { err, ok, type Result } from '../model/result.ts';
import { mountOf } from '../platform/mount-points.ts';
import type { RunCommand } from '../platform/run-command.ts';
import { sharedLook } from '../usecases/one-at-a-time.ts';

/** Project ids of ours begin here: far from those that people, kubelet and container engines give. */
const firstId = 2 ** 30;
const lastId = firstId + 2 ** 24 - 1;

/** A project that the filesystem knows of: it has files, or a limit. */
interface Project {
  readonly used: Bytes;
  /** 0 where it has none. */
  readonly limit: Bytes;
}

/** The project quota of the filesystem that one directory is on. */
export interface ProjectQuota {
  /** Why it does not keep anybody to a limit now; nothing where it does. Starts no program. */
  whyNot(): Promise<string | undefined>;
  /** Projects of our ids. */
  projects(): Promise<ReadonlyMap<number, Project>>;
  /** A number that nobody has, neither in the filesystem nor among `others`. */
  freeId(others: ReadonlySet<number>): Promise<number>;
  /** What is made in the empty directory from now on counts for the project, and `df` shows its limit. */
  give(directory: string, id: number): Promise<void>;
  /** 0 takes the limit away. */
  limit(id: number, size: number): Promise<void>;
}

export function projectQuota(directory: string, run: RunCommand): ProjectQuota {
  // Of the tools for quota it alone knows both filesystems, and is there for mkfs.xfs anyway.
  async function xfsQuota(command: string): Promise<string> {
    const on = await quotaMount(directory);
    if (!on.ok) {
      throw new Error(on.error);
    }
    return run('xfs_quota', ['-x', '-f', '-c', command, on.value]);
  }

  const projects = sharedLook(async () =>
    parseReport(await xfsQuota(`report -p -n -N -b -L ${firstId} -U ${lastId}`)),
  );

  return {
    projects,
    whyNot: async () => {
      const on = await quotaMount(directory);
      return on.ok ? undefined : on.error;
    },
    freeId: async (others) => {
      const known = await projects();
      for (let id = firstId; id <= lastId; id += 1) {
        if (!known.has(id) && !others.has(id)) {
          return id;
        }
      }
      throw new Error(`no project id from ${firstId} to ${lastId} is free`);
    },
    give: async (path, id) => {
      await run('chattr', ['-p', String(id), '+P', path]);
    },
    limit: async (id, size) => {
      await xfsQuota(`limit -p bhard=${size} ${id}`);
    },
  };
}

/** Lines such as `#1073741824  0  0  4096  00 [--------]`: used, soft and hard limit in KiB. */
function parseReport(text: string): ReadonlyMap<number, Project> {
  const rows = [...text.matchAll(/^#(\d+)\s+(\d+)\s+\d+\s+(\d+)\s/gm)];
  return new Map(
    rows.map(([, id, used, limit]) => [
      Number(id),
      { used: bytes(Number(used) * KiB), limit: bytes(Number(limit) * KiB) },
    ]),
  );
}

const remedies: Readonly<Record<string, string>> = {
  xfs: 'mount it with the option prjquota (a root filesystem: rootflags=prjquota for the kernel)',
  ext4: 'give it the features project and quota (mkfs.ext4 -O project,quota, or tune2fs -O project,quota -Q prjquota while it is not mounted) and mount it with the option prjquota',
};

/** @returns where the filesystem is mounted, or what it lacks */
async function quotaMount(directory: string): Promise<Result<string, string>> {
  const mount = await mountOf(directory);
  const { fsType = 'unknown', mountPoint = '?', superOptions = [] } = mount ?? {};
  const remedy = remedies[fsType];
  const place = `its filesystem, ${fsType} at ${mountPoint}`;
  if (remedy === undefined) {
    return err(`${place}, has no project quota: xfs and ext4 have it`);
  }
  return superOptions.includes('prjquota')
    ? ok(mountPoint)
    : err(`${place}, does not enforce project quota: ${remedy}`);
}
