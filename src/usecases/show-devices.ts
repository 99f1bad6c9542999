import { isPlainDisk, selectsDisk } from '../model/device-selector.ts';
import { mainMountPoints, whyNotTaken, type Disk } from '../model/disk.ts';
import { cut } from '../model/shown.ts';
import type { NodePool } from './node-pools.ts';
import type { DeviceStanding, PoolStanding } from './node-ports.ts';
import type { DiskInPool } from './ports.ts';

const mostDevices = 256;
const mostOfEach = 16;
const longestName = 256;
const longestText = 512;

/**
 * What the StorageNode says of the node's disks. Loop devices and the like are shown only where a
 * pool selects or has them; those of pools come first where there are too many.
 */
export function showDevices(
  disks: readonly Disk[],
  pools: readonly NodePool[],
  standings: readonly PoolStanding[],
): readonly DeviceStanding[] {
  const inPools = diskStates(standings);
  const isOfPool = (disk: Disk): boolean =>
    inPools.has(disk.id) ||
    pools.some(({ devices }) => devices !== undefined && selectsDisk(devices, disk));
  const rank = (disk: Disk): number => (isOfPool(disk) ? 0 : 1);
  return disks
    .filter((disk) => isPlainDisk(disk) || isOfPool(disk))
    .sort((a, b) => rank(a) - rank(b) || byPath(a, b))
    .slice(0, mostDevices)
    .sort(byPath)
    .map((disk) => toStanding(disk, inPools.get(disk.id) ?? []));
}

function byPath(a: Disk, b: Disk): number {
  return a.path.length - b.path.length || (a.path < b.path ? -1 : 1);
}

interface InPool extends DiskInPool {
  readonly pool: string;
}

function diskStates(standings: readonly PoolStanding[]): ReadonlyMap<string, readonly InPool[]> {
  const found = new Map<string, InPool[]>();
  for (const { name: pool, disks = [] } of standings) {
    for (const disk of disks) {
      found.set(disk.id, [...(found.get(disk.id) ?? []), { ...disk, pool }]);
    }
  }
  return found;
}

function toStanding(disk: Disk, inPools: readonly InPool[]): DeviceStanding {
  const pool = inPools.find(({ state }) => state === 'used' || state === 'leaving')?.pool;
  const refusal = inPools.find(({ state }) => state === 'refused');
  const reason =
    pool === undefined ? (whyNotTaken(disk) ?? refusal?.message) : `it belongs to pool ${pool}`;
  const { model, serial, wwn, transport, content } = disk;
  const { partitionTable, signature } = content;
  return {
    id: name(disk.id),
    stable: disk.hasStableId,
    path: name(disk.path),
    links: disk.links.slice(0, mostOfEach).map(name),
    model: nameOrNone(model),
    serial: nameOrNone(serial),
    wwn: nameOrNone(wwn),
    bytes: disk.bytes,
    sectorBytes: disk.sectorBytes,
    rotational: disk.rotational,
    transport: nameOrNone(transport),
    readOnly: disk.readOnly,
    removable: disk.removable,
    partitionTable: nameOrNone(partitionTable),
    partitions: content.partitions.slice(0, mostOfEach),
    signature: nameOrNone(signature),
    holders: content.holders.slice(0, mostOfEach).map(name),
    mountPoints: mainMountPoints(disk).map(name),
    pool,
    available: reason === undefined,
    reason: reason && cut(reason, longestText),
  };
}

function nameOrNone(text: string | undefined): string | undefined {
  return text && name(text);
}

function name(text: string): string {
  return cut(text, longestName);
}
