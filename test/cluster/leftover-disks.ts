import { readFileSync } from 'node:fs';

import { CommandError, runCommand } from './run-command.ts';

// Disks may lie on each other: a file in a mounted file system can back the next loop device. Each round takes off
// one layer.
const ROUNDS = 5;

/** Unmounts what is mounted below `dir` and detaches loop devices whose file lies there. Repeatable. */
export async function removeDisks(dir: string): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const mounts = mountsBelow(dir);
    const loops = await loopsBelow(dir);
    if (mounts.length === 0 && loops.length === 0) return;
    for (const mount of mounts) await unmount(mount);
    for (const loop of loops) await detach(loop);
  }
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

/** Loop devices whose backing file lies below a folder. */
async function loopsBelow(dir: string): Promise<string[]> {
  const output = await runCommand('losetup', ['--json', '--list', '--output', 'NAME,BACK-FILE']);
  if (output.trim() === '') return [];
  const { loopdevices } = JSON.parse(output) as {
    loopdevices: { name: string; 'back-file': string | null }[];
  };
  return loopdevices
    .filter((loop) => loop['back-file']?.startsWith(`${dir}/`))
    .map(({ name }) => name);
}

async function detach(loop: string): Promise<void> {
  // Partitions have to go first, or they stay as device files without a device.
  await runCommand('partx', ['--delete', loop]).catch(() => undefined);
  // It may have been detached by the unmount already.
  await runCommand('losetup', ['--detach', loop]).catch(() => undefined);
}
