import { readFile } from 'node:fs/promises';
import { ifThere } from './files.ts';

/**
 * Where this process sees mounts of one filesystem, by its device number as `8:1`. See proc(5),
 * mountinfo.
 */
export async function mountPointsOf(device: string): Promise<readonly string[]> {
  const mounts = await readMounts();
  return mounts.filter((fields) => fields[2] === device).map(pointOf);
}

/** Where anything is mounted at, or below, a path of this process; what was mounted last is first. */
export async function mountPointsBelow(path: string): Promise<readonly string[]> {
  const points = (await readMounts()).map(pointOf);
  return points.filter((point) => point === path || point.startsWith(`${path}/`)).reverse();
}

async function readMounts(): Promise<readonly (readonly string[])[]> {
  const text = (await ifThere(readFile('/proc/self/mountinfo', 'utf8'))) ?? '';
  return text.split('\n').map((line) => line.split(' '));
}

function pointOf(fields: readonly string[]): string {
  return unescapePath(fields[4] ?? '');
}

/** The kernel writes blanks, tabs, line ends and backslashes in paths as three octal digits. */
function unescapePath(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
