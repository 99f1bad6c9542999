import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** The only Kubernetes the harness can build by itself: the one in Debian's source package. */
const BUILT_VERSION = '1.20.2';
/** Grows with every change of the build that makes other binaries, so that old ones are not used any more. */
const BUILD = 2;

/** Where clusters live, one folder each. Kept short: a unix socket path below it may have 107 bytes. */
export function stateDir(): string {
  return process.env['BERTH_STATE_DIR'] ?? '/tmp/berth';
}

/** Where the binaries built once are kept; outside of the checkout, so that a fresh clone is fast too. */
export function binaryCacheDir(): string {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return join(cache, 'berth', `kube-${BUILT_VERSION}-${BUILD}`);
}

/** Where programs are looked for. Not every login of Debian has the folders of `losetup` and `ip` in its PATH. */
export function searchPath(): string[] {
  return [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'].filter(Boolean);
}

const NAME = /^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$/;

/** The folder of one cluster. Throws RangeError for a name that would not do in paths, cgroups and links. */
export function clusterDir(name: string): string {
  if (!NAME.test(name)) {
    throw new RangeError(
      `cluster name "${name}": use 1 to 20 of a-z, 0-9 and "-", not "-" at the ends`,
    );
  }
  return join(stateDir(), name);
}
