import { readText } from './sys-files.ts';

/** One line of mountinfo: see proc(5). */
export interface Mount {
  /** `major:minor`. */
  readonly device: string;
  readonly point: string;
  readonly fsType: string;
  readonly source: string;
  /** Of the filesystem itself, however this mount of it is made. */
  readonly superOptions: readonly string[];
}

/** All mounts in a file such as /proc/self/mountinfo; none where it cannot be read. */
export async function readMounts(file: string): Promise<readonly Mount[]> {
  return ((await readText(file)) ?? '').split('\n').flatMap(parseMount);
}

function parseMount(line: string): readonly Mount[] {
  const fields = line.split(' ');
  const dash = fields.indexOf('-');
  const [fsType, source, options] = fields.slice(dash + 1);
  if (dash < 6 || fsType === undefined || source === undefined) {
    return [];
  }
  const device = fields[2] ?? '';
  const point = unescapePath(fields[4] ?? '');
  const superOptions = (options ?? '').split(',');
  return [{ device, point, fsType, source: unescapePath(source), superOptions }];
}

/** The mount that a path lies on: the last one of the longest that holds it. */
export function mountOf(mounts: readonly Mount[], path: string): Mount | undefined {
  const holding = mounts.filter(
    ({ point }) => point === '/' || path === point || path.startsWith(`${point}/`),
  );
  return holding.reduce<Mount | undefined>(
    (best, one) => (best === undefined || one.point.length >= best.point.length ? one : best),
    undefined,
  );
}

/** The kernel writes blanks, tabs, line ends and backslashes in paths as three octal digits. */
function unescapePath(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
