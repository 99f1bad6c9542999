import { readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { bytes } from '../model/bytes.ts';
import type { Disk, DiskContent } from '../model/disk.ts';
import { sharedLook } from '../usecases/one-at-a-time.ts';
import { ifThere } from './files.ts';
import type { RunCommand } from './run-command.ts';

/** Lists the whole disks of this machine as they are now. */
export type ListDisks = () => Promise<readonly Disk[]>;

const columns =
  'NAME,KNAME,PATH,TYPE,SIZE,MODEL,SERIAL,WWN,TRAN,ROTA,RO,RM,LOG-SEC,FSTYPE,PTTYPE,MOUNTPOINTS';
const linkFolders = ['by-id', 'by-path'];
/** Memory and network that only look like disks, and drives for media. */
const noDisks = /^(z?ram|nbd|rbd|sr|fd|drbd|md|dm-)\d*/;

interface Row {
  readonly name: string;
  readonly kname: string;
  readonly path: string;
  readonly type: string;
  readonly size: number | null;
  readonly model: string | null;
  readonly serial: string | null;
  readonly wwn: string | null;
  readonly tran: string | null;
  readonly rota: boolean;
  readonly ro: boolean;
  readonly rm: boolean;
  readonly 'log-sec': number;
  readonly fstype: string | null;
  readonly pttype: string | null;
  readonly mountpoints: readonly (string | null)[];
  readonly children?: readonly Row[];
}

export function listDisks(run: RunCommand): ListDisks {
  return sharedLook(async () => {
    const text = await run('lsblk', ['--json', '--bytes', '--output', columns]);
    const { blockdevices } = JSON.parse(text) as { blockdevices: readonly Row[] };
    const links = await linksByTarget();
    return blockdevices
      .filter(({ kname }) => !noDisks.test(kname))
      .map((row) => toDisk(row, links.get(row.path) ?? []));
  });
}

function toDisk(row: Row, links: readonly string[]): Disk {
  const [model, serial, wwn] = [row.model, row.serial, row.wwn].map((text) => text?.trim());
  const id = stableId(model, serial, wwn);
  return {
    id: id ?? `path-${row.path}`,
    hasStableId: id !== undefined,
    path: row.path,
    links,
    type: row.type,
    bytes: bytes(row.size ?? 0),
    sectorBytes: row['log-sec'],
    ...(model && { model }),
    ...(serial && { serial }),
    ...(wwn && { wwn }),
    ...(row.tran && { transport: row.tran }),
    rotational: row.rota,
    readOnly: row.ro,
    removable: row.rm,
    content: contentOf(row),
  };
}

/** What names the medium itself, and not the slot it is in. */
function stableId(model = '', serial = '', wwn = ''): string | undefined {
  if (wwn !== '') {
    return `wwn-${wwn}`;
  }
  return serial === '' ? undefined : `serial-${`${model}_${serial}`.replace(/\s+/g, '_')}`;
}

function contentOf(row: Row): DiskContent {
  const below = descendants(row);
  const mountPoints = [row, ...below].flatMap(({ mountpoints }) => mountpoints);
  const own = row.children ?? [];
  return {
    ...(row.pttype && { partitionTable: row.pttype }),
    ...(row.fstype && { signature: row.fstype }),
    partitions: own.filter(({ type }) => type === 'part').map(({ path }) => path),
    holders: below.filter(({ type }) => type !== 'part').map(({ path }) => path),
    mountPoints: [...new Set(mountPoints.filter((point) => point !== null))],
  };
}

function descendants({ children = [] }: Row): readonly Row[] {
  return children.flatMap((child) => [child, ...descendants(child)]);
}

async function linksByTarget(): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, string[]>();
  for (const folder of linkFolders.map((name) => join('/dev/disk', name))) {
    for (const name of (await ifThere(readdir(folder))) ?? []) {
      const link = join(folder, name);
      const target = await ifThere(realpath(link));
      if (target !== undefined) {
        found.set(target, [...(found.get(target) ?? []), link]);
      }
    }
  }
  return found;
}
