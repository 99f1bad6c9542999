import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { CommandError, runCommand } from './run-command.ts';

// Disks may lie on each other: a file in a mounted file system can back the next loop device. Each round takes off
// one layer. A device that any program of the machine has open at that moment goes when that one closes it.
const PATIENCE_MS = 10_000;
const PAUSE_MS = 50;

/** Unmounts what is mounted below `dir` and detaches loop devices whose file lies there. Repeatable. */
export async function removeDisks(dir: string): Promise<void> {
  const endsAt = performance.now() + PATIENCE_MS;
  do {
    const mounts = mountsBelow(dir);
    const loops = await loopsBelow(dir);
    if (mounts.length === 0 && loops.length === 0) return;
    for (const mount of mounts) await unmount(mount);
    for (const loop of loops) await detach(loop);
    await sleep(PAUSE_MS);
  } while (performance.now() < endsAt);
  const left = [...mountsBelow(dir), ...(await loopsBelow(dir))];
  if (left.length > 0) throw new Error(`cannot be unmounted or detached: ${left.join(' ')}`);
}

/** Mount points at or below a folder, the last mounted first. */
export function mountsBelow(dir: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .map(unescape)
    .filter((path) => path === dir || path.startsWith(`${dir}/`))
    .reverse();
}

/** The kernel writes blanks, tabs, line ends and backslashes in paths as three octal digits. */
function unescape(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

async function unmount(path: string): Promise<void> {
  try {
    await runCommand('umount', [path]);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    // Somebody still has a file open there. Lazily, so that the mount is gone for everybody else at once.
    await runCommand('umount', ['--lazy', path]).catch(() => undefined);
  }
}

interface Loop {
  name: string;
  'back-ino': number;
  'back-maj:min': string;
}

/**
 * Loop devices whose backing file lies below a folder. The kernel tells the file's path as it was seen by whoever
 * attached it, which for a node is another one than here; so files are compared by what they are.
 */
export async function loopsBelow(dir: string): Promise<string[]> {
  const columns = 'NAME,BACK-INO,BACK-MAJ:MIN';
  const output = await runCommand('losetup', ['--json', '--list', '--output', columns]);
  if (output.trim() === '') return [];
  const { loopdevices } = JSON.parse(output) as { loopdevices: Loop[] };
  const inodes = [...new Set(loopdevices.map((loop) => loop['back-ino']))];
  const tests = inodes.flatMap((inode) => ['-o', '-inum', String(inode)]).slice(1);
  const found = await runCommand('find', [dir, '(', ...tests, ')', '-printf', '%D %i\\n']).catch(
    () => '',
  );
  const files = new Set(found.split('\n'));
  return loopdevices
    .filter((loop) => files.has(`${deviceNumber(loop['back-maj:min'])} ${loop['back-ino']}`))
    .map(({ name }) => name);
}

/** `7:300` as stat(2) has it: the low byte of the minor, the major, the rest of the minor (glibc's makedev). */
function deviceNumber(text: string): number {
  const [major = 0, minor = 0] = text.split(':').map(Number);
  return (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
}

/** Takes a loop device off its file. Repeatable. */
export async function detach(loop: string): Promise<void> {
  // Partitions have to go first, or they stay as device files without a device.
  await runCommand('partx', ['--delete', loop]).catch(() => undefined);
  // It may have been detached by the unmount already.
  await runCommand('losetup', ['--detach', loop]).catch(() => undefined);
}
