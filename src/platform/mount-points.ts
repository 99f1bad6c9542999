import { readFile } from 'node:fs/promises';
import { ifThere } from './files.ts';

/** One mount as this process sees it. See proc(5), mountinfo. */
export interface Mount {
  readonly id: string;
  /** The device number of the filesystem as `8:1`. */
  readonly device: string;
  /** Which part of the filesystem it shows: `/` for all of it. */
  readonly root: string;
  /** Where it is. Of several at one place the last one covers the others. */
  readonly point: string;
  readonly readOnly: boolean;
  readonly fsType: string;
  readonly source: string;
}

export async function readMounts(): Promise<readonly Mount[]> {
  const text = (await ifThere(readFile('/proc/self/mountinfo', 'utf8'))) ?? '';
  return text.split('\n').filter(Boolean).map(toMount);
}

/** Where this process sees mounts of one filesystem, by its device number. */
export async function mountPointsOf(device: string): Promise<readonly string[]> {
  const mounts = await readMounts();
  return mounts.filter((mount) => mount.device === device).map(({ point }) => point);
}

function toMount(line: string): Mount {
  const fields = line.split(' ');
  // Any number of optional fields stands between the sixth and the hyphen.
  const [fsType = '', source = ''] = fields.slice(fields.indexOf('-', 6) + 1);
  const [id = '', , device = '', root = '', point = '', options = ''] = fields;
  return {
    ...{ id, device, fsType },
    root: unescapePath(root),
    point: unescapePath(point),
    readOnly: options.split(',').includes('ro'),
    source: unescapePath(source),
  };
}

/** The kernel writes blanks, tabs, line ends and backslashes in paths as three octal digits. */
function unescapePath(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
