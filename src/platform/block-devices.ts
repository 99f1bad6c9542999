import { readdir, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { bytes } from '../model/bytes.ts';
import type { Disk, DiskContent } from '../model/disk.ts';
import { sharedLook } from '../usecases/one-at-a-time.ts';
import { blockFacts, mountedDevices, type BlockFacts } from './block-facts.ts';
import { linkFolders, noDisks } from './disk-signs.ts';
import { ifThere } from './files.ts';
import { CommandError, type RunCommand } from './run-command.ts';
import { readSignatures, type Signatures } from './signatures.ts';

/** Lists the whole disks of this machine as they are now. */
export type ListDisks = () => Promise<readonly Disk[]>;

const columns =
  'NAME,KNAME,PATH,TYPE,SIZE,MODEL,SERIAL,WWN,TRAN,ROTA,RO,RM,LOG-SEC,FSTYPE,PTTYPE,MOUNTPOINTS';

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
    const roots = (await readRows(run)).flatMap(wholeDisks);
    const unique = [...new Map(roots.map((row) => [row.kname, row])).values()];
    return withoutTwins(await toDisks(unique, run));
  });
}

/** Looks at one disk, whatever others there are: their names may be the same. */
export type LookAtDisk = (path: string) => Promise<Disk | undefined>;

/** lsblk ends so where there is no such device. */
const notFound = 32;

export function lookAtDisk(run: RunCommand): LookAtDisk {
  return async (path) => {
    try {
      const rows = await readRows(run, path);
      const [disk] = await toDisks(
        rows.filter((row) => row.path === path),
        run,
      );
      return disk;
    } catch (error) {
      if (error instanceof CommandError && error.exitCode === notFound) {
        return undefined;
      }
      throw error;
    }
  };
}

async function readRows(run: RunCommand, ...paths: readonly string[]): Promise<readonly Row[]> {
  const text = await run('lsblk', ['--json', '--bytes', '--output', columns, ...paths]);
  return (JSON.parse(text) as { readonly blockdevices: readonly Row[] }).blockdevices;
}

async function toDisks(rows: readonly Row[], run: RunCommand): Promise<readonly Disk[]> {
  const [links, mounted] = await Promise.all([linksByTarget(), mountedDevices()]);
  const silent = rows.flatMap((row) => [row, ...descendants(row)]).filter(isSilent);
  const read = await readSignatures([...new Set(silent.map(({ path }) => path))], run);
  const disks = rows.map(async (row) =>
    toDisk(withSignatures(row, read), await blockFacts(row.kname), {
      links: links.get(row.path) ?? [],
      mounted,
    }),
  );
  return Promise.all(disks);
}

/** A disk that several paths lead to is listed below each of them, and is a disk of its own. */
function wholeDisks(row: Row): readonly Row[] {
  const behind = descendants(row).filter(({ type }) => type === 'mpath');
  return noDisks.test(row.kname) ? behind : [row, ...behind];
}

/** What is mounted has told what it is, and need not be read. */
function isSilent({ fstype, pttype, size, mountpoints }: Row): boolean {
  const isMounted = mountpoints.some((point) => point !== null);
  return !fstype && !pttype && !isMounted && size !== null && size > 0;
}

function withSignatures(row: Row, read: ReadonlyMap<string, Signatures>): Row {
  const { table, content } = read.get(row.path) ?? {};
  const children = row.children?.map((child) => withSignatures(child, read));
  return {
    ...row,
    fstype: row.fstype ?? content ?? null,
    pttype: row.pttype ?? table ?? null,
    ...(children && { children }),
  };
}

interface Around {
  readonly links: readonly string[];
  readonly mounted: ReadonlyMap<string, string>;
}

function toDisk(row: Row, facts: BlockFacts, { links, mounted }: Around): Disk {
  const [model, serial, wwn] = [row.model, facts.serial ?? row.serial, facts.wwn ?? row.wwn].map(
    (text) => text?.trim(),
  );
  const id = stableId(model, serial, wwn, facts.mapped);
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
    content: contentOf(row, mounted),
  };
}

/** What names the medium itself, and not the slot it is in. */
function stableId(model = '', serial = '', wwn = '', mapped = ''): string | undefined {
  if (mapped.startsWith('mpath-')) {
    return mapped;
  }
  if (wwn !== '') {
    return `wwn-${wwn}`;
  }
  const named = [model, serial].filter((text) => text !== '').join('_');
  return serial === '' ? undefined : `serial-${named.replace(/\s+/g, '_')}`;
}

/**
 * Copies, paths to the same disk and makers who number nothing: several disks with one name have
 * none that could be trusted.
 */
function withoutTwins(disks: readonly Disk[]): readonly Disk[] {
  return disks.map((disk) =>
    disks.some(({ id, path }) => id === disk.id && path !== disk.path)
      ? { ...disk, id: idBesideTwin(disk), hasStableId: false }
      : disk,
  );
}

function idBesideTwin({ id, path }: Disk): string {
  return `${id}-at-${basename(path)}`;
}

/** Whether a disk that was looked at alone is the one that was listed with all others. */
export function isListedAs(seen: Disk, { id, path }: Disk): boolean {
  return seen.path === path && [seen.id, idBesideTwin(seen)].includes(id);
}

function contentOf(row: Row, mounted: ReadonlyMap<string, string>): DiskContent {
  const below = descendants(row);
  const parts = (row.children ?? []).filter(({ type }) => type === 'part');
  const mountPoints = [row, ...below].flatMap((one) => mountPointsOf(one, mounted));
  return {
    ...(row.pttype && { partitionTable: row.pttype }),
    ...(row.fstype && { signature: row.fstype }),
    partitions: parts.map(({ path, size, fstype }) => ({
      path,
      bytes: bytes(size ?? 0),
      ...(fstype && { signature: fstype }),
    })),
    holders: [...new Set(below.filter(({ type }) => type !== 'part').map(({ path }) => path))],
    mountPoints: [...new Set(mountPoints)],
  };
}

/** What another mount namespace has mounted shows in /sys only, without its place. */
function mountPointsOf(row: Row, mounted: ReadonlyMap<string, string>): readonly string[] {
  const seen = row.mountpoints.filter((point) => point !== null);
  const kind = mounted.get(row.kname);
  return seen.length > 0 || kind === undefined ? seen : [`[${kind}, out of sight]`];
}

function descendants({ children = [] }: Row): readonly Row[] {
  return children.flatMap((child) => [child, ...descendants(child)]);
}

async function linksByTarget(): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, string[]>();
  for (const folder of linkFolders) {
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
