import { bytes, type Bytes } from '../model/bytes.ts';
import type { WayDown } from '../model/lvm-state.ts';
import { CommandError } from '../platform/run-command.ts';
import type { RunLvm } from './lvm-run.ts';

/** A volume group as LVM shows it now. */
export interface Group {
  readonly name: string;
  readonly tags: readonly string[];
  readonly extentBytes: Bytes;
  readonly disks: readonly GroupDisk[];
  readonly volumes: readonly LogicalVolume[];
}

/** A disk of a volume group, or a part of one: a physical volume. */
export interface GroupDisk {
  readonly path: string;
  readonly uuid: string;
  readonly bytes: Bytes;
  readonly extents: number;
  readonly freeExtents: number;
  /** New volumes may be cut from it. */
  readonly isOpen: boolean;
  readonly isMissing: boolean;
}

export interface LogicalVolume {
  readonly name: string;
  readonly tags: readonly string[];
  readonly bytes: Bytes;
  /** Such as `linear` or `raid,raid1`. */
  readonly layout: string;
  /** Its path as long as it is active. */
  readonly path: string;
  readonly isActive: boolean;
  /** Copies of a mirrored one, stripes of a striped one. */
  readonly rows: number;
  /** For a thin pool: the parts in use, 0 to 1. Missing while it is not active. */
  readonly dataUsed: number | undefined;
  readonly metadataUsed: number | undefined;
  /** In LVM's words; empty while all is well. */
  readonly status: string;
  readonly needsCheck: boolean;
  /** Where that was looked for. */
  readonly leads?: WayDown;
}

type Row = Readonly<Record<string, string>>;
type Section = 'vg' | 'pv' | 'lv' | 'seg';

const fields: Readonly<Record<Section | 'pvseg', string>> = {
  vg: 'vg_name,vg_tags,vg_extent_size',
  pv: 'pv_name,pv_uuid,pv_size,pv_missing,pv_allocatable,pv_pe_count,pv_pe_alloc_count',
  lv: 'lv_name,lv_tags,lv_size,lv_layout,lv_active,lv_dm_path,data_percent,metadata_percent,lv_health_status,lv_check_needed',
  seg: 'lv_name,stripes',
  pvseg: 'pv_name',
};

/** @returns nothing where there is no volume group of that name */
export async function lookAtGroup(lvm: RunLvm, name: string): Promise<Group | undefined> {
  const chosen = Object.entries(fields).flatMap(([section, names]) => [
    ...['--configreport', section, '--options', names],
  ]);
  const format = ['--reportformat', 'json', '--units', 'b', '--nosuffix', '--binary'];
  try {
    return parseGroup(await lvm(['fullreport', ...format, ...chosen, name]), name);
  } catch (error) {
    if (error instanceof CommandError && /Volume group "\S+" not found/.test(error.stderr)) {
      return undefined;
    }
    throw error;
  }
}

function parseGroup(text: string, name: string): Group {
  const { report } = JSON.parse(text) as { report: readonly Record<Section, readonly Row[]>[] };
  const found = report.filter(({ vg }) => vg.some((row) => row['vg_name'] === name));
  const [only] = found;
  const group = only?.vg[0];
  if (only === undefined || group === undefined || found.length > 1) {
    throw new Error(`LVM shows ${found.length} volume groups ${name}`);
  }
  const rows = new Map<string, number>();
  for (const segment of only.seg) {
    rows.set(segment['lv_name'] ?? '', numberOf(segment, 'stripes'));
  }
  return {
    name,
    tags: tagsOf(group, 'vg_tags'),
    extentBytes: bytes(numberOf(group, 'vg_extent_size')),
    disks: only.pv.map(toDisk),
    volumes: only.lv.map((row) => toVolume(row, rows)),
  };
}

function toDisk(row: Row): GroupDisk {
  const extents = numberOf(row, 'pv_pe_count');
  return {
    path: row['pv_name'] ?? '',
    uuid: row['pv_uuid'] ?? '',
    bytes: bytes(numberOf(row, 'pv_size')),
    extents,
    freeExtents: extents - numberOf(row, 'pv_pe_alloc_count'),
    isOpen: isSet(row, 'pv_allocatable'),
    isMissing: isSet(row, 'pv_missing'),
  };
}

function toVolume(row: Row, rows: ReadonlyMap<string, number>): LogicalVolume {
  const name = row['lv_name'] ?? '';
  return {
    name,
    tags: tagsOf(row, 'lv_tags'),
    bytes: bytes(numberOf(row, 'lv_size')),
    layout: row['lv_layout'] ?? '',
    path: row['lv_dm_path'] ?? '',
    isActive: isSet(row, 'lv_active'),
    rows: rows.get(name) ?? 1,
    dataUsed: partOf(row, 'data_percent'),
    metadataUsed: partOf(row, 'metadata_percent'),
    status: row['lv_health_status'] ?? '',
    needsCheck: row['lv_check_needed'] === '1',
  };
}

/** What cannot be read never counts as zero. */
function numberOf(row: Row, field: string): number {
  const value = Number.parseInt(row[field] ?? '', 10);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new Error(`LVM shows ${field} as "${row[field] ?? ''}", which is no number`);
  }
  return value;
}

function partOf(row: Row, field: string): number | undefined {
  const percent = Number.parseFloat(row[field] ?? '');
  return Number.isFinite(percent) && percent >= 0 ? percent / 100 : undefined;
}

function isSet(row: Row, field: string): boolean {
  const value = row[field] ?? '';
  return value !== '' && value !== '0';
}

function tagsOf(row: Row, field: string): readonly string[] {
  return (row[field] ?? '').split(',').filter((tag) => tag !== '');
}
