import { readdir, readFile, readlink } from 'node:fs/promises';
import { errorCode, ifThere } from './files.ts';

/** One line of mountinfo: see proc(5). */
export interface Mount {
  readonly id: string;
  /** The filesystem's device number, as `8:1`; btrfs shows another one to `stat`. */
  readonly device: string;
  /** What of the filesystem is mounted here: `/` where it is all of it. */
  readonly root: string;
  /** Of several at one place the last one covers the others. */
  readonly mountPoint: string;
  readonly readOnly: boolean;
  readonly fsType: string;
  readonly source: string;
  /** Options of the whole filesystem, such as `prjquota`. */
  readonly superOptions: readonly string[];
}

/** All that this process sees, in the order in which they were mounted. */
export function readMounts(): Promise<readonly Mount[]> {
  return mountsOf('self');
}

/**
 * All that this process sees and all that the node itself sees: what kubelet has mounted for pods,
 * wherever it does that. Most are in both.
 */
export async function readMountsOfNode(): Promise<readonly Mount[]> {
  const all = await Promise.all([mountsOf('self'), mountsOf('1')]);
  return all.flat();
}

/**
 * Where this process sees mounts of one filesystem, by its device number as `8:1`.
 */
export async function mountPointsOf(device: string): Promise<readonly string[]> {
  const mounts = await readMounts();
  return mounts.filter((mount) => mount.device === device).map(({ mountPoint }) => mountPoint);
}

/** Where anything is mounted at, or below, a path of this process; what was mounted last is first. */
export async function mountPointsBelow(path: string): Promise<readonly string[]> {
  const points = (await readMounts()).map(({ mountPoint }) => mountPoint);
  return points.filter((point) => isBelow(point, path)).reverse();
}

/** The mount that `path` lies on; the path must have no symbolic links in it. */
export async function mountOf(path: string): Promise<Mount | undefined> {
  return mountHolding(path, await readMounts());
}

/** The one of `mounts` that `path` lies on. */
export function mountHolding(path: string, mounts: readonly Mount[]): Mount | undefined {
  const over = mounts.filter(({ mountPoint }) => isBelow(path, mountPoint));
  const longest = Math.max(...over.map(({ mountPoint }) => mountPoint.length));
  // Of several at one place the last one covers the others.
  return over.filter(({ mountPoint }) => mountPoint.length === longest).at(-1);
}

/**
 * The mounts of every process that this one can see, each mount namespace once: kubelet's and
 * those of containers too, where the agent shares the process ids of its node.
 */
export async function mountsOfAll(): Promise<readonly Mount[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const seen = new Set<string>();
  const all: Mount[] = [];
  for (const pid of pids) {
    const namespace = await unlessEnded(namespaceOf(pid));
    if (namespace === undefined || seen.has(namespace)) {
      continue;
    }
    const mounts = await unlessEnded(mountsOf(pid));
    if (mounts !== undefined) {
      seen.add(namespace);
      all.push(...mounts);
    }
  }
  return all;
}

/** One whose namespace must not be known is looked at as if it had its own. */
async function namespaceOf(pid: string): Promise<string> {
  try {
    return await readlink(`/proc/${pid}/ns/mnt`);
  } catch (error) {
    if (errorCode(error) === 'EACCES') {
      return pid;
    }
    throw error;
  }
}

async function unlessEnded<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    // EINVAL: it has ended, and its parent has not heard of it yet.
    if (['ENOENT', 'ESRCH', 'EINVAL'].includes(errorCode(error) ?? '')) {
      return undefined;
    }
    throw error;
  }
}

async function mountsOf(pid: string): Promise<readonly Mount[]> {
  const read = readFile(`/proc/${pid}/mountinfo`, 'utf8');
  const text = pid === 'self' ? ((await ifThere(read)) ?? '') : await read;
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(parseMount);
}

function parseMount(line: string): Mount {
  const fields = line.split(' ');
  const [id = '', , device = '', root = '', mountPoint = '', options = ''] = fields;
  // Any number of optional fields stands between the sixth and the hyphen.
  const [fsType = '', source = '', superOptions = ''] = fields.slice(fields.indexOf('-', 6) + 1);
  return {
    ...{ id, device, fsType },
    root: unescapePath(root),
    mountPoint: unescapePath(mountPoint),
    readOnly: options.split(',').includes('ro'),
    source: unescapePath(source),
    superOptions: superOptions.split(','),
  };
}

function isBelow(path: string, mountPoint: string): boolean {
  return path === mountPoint || path.startsWith(mountPoint === '/' ? '/' : `${mountPoint}/`);
}

/** The kernel writes blanks, tabs, line ends and backslashes in paths as three octal digits. */
function unescapePath(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
