import { bytes, MiB, sumBytes, type Bytes } from '../../model/bytes.ts';
import { piecesOf, type Pieces } from '../../model/pieces.ts';
import { markRegion, type Table } from './gpt-table.ts';
import type { Region } from './zeros.ts';

/** Volumes begin and end at multiples of it: at whole blocks of every usual medium. */
const alignment = MiB;

/** All room of a disk that no partition has, in whole units of the alignment. */
export function gapsOf({ partitions, end }: Table): readonly Region[] {
  const gaps: Region[] = [];
  let from = markRegion.start + markRegion.bytes;
  for (const each of [...partitions].sort((a, b) => a.start - b.start)) {
    gaps.push(between(from, each.start));
    from = Math.max(from, each.start + each.bytes);
  }
  gaps.push(between(from, end));
  return gaps.filter((gap) => gap.bytes > 0);
}

function between(from: number, to: number): Region {
  const start = Math.ceil(from / alignment) * alignment;
  const end = Math.floor(to / alignment) * alignment;
  return { start, bytes: Math.max(0, end - start) };
}

/** How a backend cuts disks into volumes. */
export interface Cutting {
  /** The parts of a disk that each may become a volume, or several. */
  readonly regions: (table: Table) => readonly Region[];
  /** What of a region a volume of `wanted` usable bytes gets. */
  readonly cut: (region: Region, wanted: Bytes) => Region;
  /** Whether that is always all of it. */
  readonly takesWhole: boolean;
}

/** A disk that volumes can be made on. */
export interface Room<D> {
  readonly disk: D;
  readonly table: Table;
}

export interface MeasuredRooms {
  /** All that no partition has. */
  readonly unused: Bytes;
  /** What of it can become volumes: nothing on a disk whose table is full. */
  readonly free: Bytes;
  readonly largest: Bytes;
  readonly pieces: Pieces;
}

/** What disks still have to give. */
export function measureRooms(
  rooms: readonly Room<unknown>[],
  { regions, takesWhole }: Cutting,
): MeasuredRooms {
  const unused = rooms.flatMap(({ table }) => regions(table));
  const free = rooms.filter(hasSlot).flatMap(({ table }) => regions(table));
  return {
    unused: sumOf(unused),
    free: sumOf(free),
    largest: bytes(Math.max(0, ...free.map((each) => each.bytes))),
    pieces: piecesOf(
      free.map((each) => bytes(each.bytes)),
      takesWhole,
    ),
  };
}

function sumOf(regions: readonly Region[]): Bytes {
  return sumBytes(regions.map((each) => bytes(each.bytes)));
}

/** Whether the table can hold one more partition. */
function hasSlot({ table }: Room<unknown>): boolean {
  return table.partitions.length < table.slots;
}

/**
 * Where a volume of `wanted` usable bytes goes: the smallest region that can hold it, so that large
 * ones stay whole.
 */
export function placeIn<D>(
  rooms: readonly Room<D>[],
  wanted: Bytes,
  { regions, cut }: Cutting,
): (Room<D> & { readonly region: Region }) | undefined {
  const fitting = rooms
    .filter(hasSlot)
    .flatMap((room) => regions(room.table).map((region) => ({ ...room, region })))
    .filter(({ region }) => region.bytes >= wanted)
    .sort((a, b) => a.region.bytes - b.region.bytes);
  const [best] = fitting;
  return best && { ...best, region: cut(best.region, wanted) };
}
