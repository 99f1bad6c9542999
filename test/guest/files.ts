import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { isExecutable } from '../cluster/binaries.ts';
import { searchPath } from '../cluster/paths.ts';

/** Grows with every change of what is built, so that an old one is not used any more. */
const BUILD = 2;

/** What a guest is booted from. */
export interface GuestFiles {
  readonly kernel: string;
  readonly initramfs: string;
  /** Holds a folder per version of the kernel, as /lib/modules does. */
  readonly modules: string;
}

/** The programs that have to be there, and are not. */
export function missingPrograms(): readonly string[] {
  const needed = ['qemu-system-x86_64', 'apt-get', 'busybox', 'cpio', 'depmod', 'setpriv'];
  return needed.filter((name) => !searchPath().some((folder) => isExecutable(join(folder, name))));
}

/** Takes them from the cache, or builds them there first, which needs the Debian archive once. */
export async function guestFiles(): Promise<GuestFiles> {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const folder = join(cache, 'berth', `guest-${BUILD}`);
  const initramfs = join(folder, 'initramfs');
  if (!existsSync(initramfs)) {
    const script = join(import.meta.dirname, 'build-guest.sh');
    const child = spawn(script, [folder], { stdio: ['ignore', 'inherit', 'inherit'] });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) {
      throw new Error(`${script} ended with status ${String(code)}`);
    }
  }
  return { kernel: join(folder, 'vmlinuz'), initramfs, modules: join(folder, 'modules') };
}
