import { formatBytes, sumBytes } from '../../model/bytes.ts';
import { NoSpaceError } from '../../model/errors.ts';
import { err, ok, type Result } from '../../model/result.ts';
import type { InTurn } from '../../usecases/one-at-a-time.ts';
import type { BackendVolume, StorageBackend, VolumeRequest } from '../../usecases/ports.ts';
import { createOn, toVolume, type Changing } from './gpt-changes.ts';
import type { OwnDisk } from './gpt-disks.ts';
import { clearKernel } from './gpt-kernel.ts';
import { measureRooms, placeIn, type Cutting, type Room } from './gpt-layout.ts';
import type { GptDisks, PoolLook } from './gpt-look.ts';
import type { NewPartition } from './gpt-table.ts';
import { ownVolume, partitionBytesFor, partitionOf } from './gpt-volumes.ts';
import { largeEnough } from './proven.ts';
import { together, type Outcomes } from './together.ts';

export interface Making extends Changing {
  readonly pool: string;
  readonly cutting: Cutting;
  readonly disks: GptDisks;
  readonly inTurn: InTurn;
}

/** One call. */
interface Wish {
  readonly request: VolumeRequest;
  readonly signal: AbortSignal;
}

interface PlacedWish {
  readonly wish: Wish;
  readonly on: OwnDisk;
  readonly partition: NewPartition;
}

/** Those there is no room for are missing. */
type Made = Outcomes<Wish, BackendVolume>;

/**
 * See `StorageBackend.ensure`. Volumes that are asked for while the pool is at work are made together
 * in its next turn: after one look, and with one write of the table of each disk, which then has all of
 * them or none.
 */
export function volumeMaking(making: Making): StorageBackend['ensure'] {
  const make = together<Wish, BackendVolume>({
    inTurn: making.inTurn,
    nameOf: ({ request }) => request.name,
    serve: (wishes) => serve(making, wishes),
  });
  return (request, signal) => make({ request, signal });
}

async function serve(making: Making, wishes: readonly Wish[]): Promise<Made> {
  // All calls of an agent end with the agent.
  const { signal } = wishes[0] ?? new AbortController();
  const outcomes = await makeIn(making, await making.disks.settle('present', signal), wishes);
  const rest = wishes.filter((wish) => !outcomes.has(wish));
  if (rest.length === 0) {
    return outcomes;
  }
  const look = await making.disks.settle('all', signal);
  const late = await makeIn(making, look, rest);
  const noRoom = rest
    .filter((wish) => !late.has(wish))
    .map((wish) => [wish, err(noSpace(making, look, wish.request))] as const);
  return new Map([...outcomes, ...late, ...noRoom]);
}

async function makeIn(
  { cutting, run, readTable }: Making,
  look: PoolLook,
  wishes: readonly Wish[],
): Promise<Made> {
  const outcomes = new Map<Wish, Result<BackendVolume, unknown>>();
  const placed: PlacedWish[] = [];
  let rooms = roomsOf(look);
  for (const wish of wishes) {
    try {
      const found = findOrPlace(wish, look, rooms, cutting);
      if (found !== undefined && 'volume' in found) {
        outcomes.set(wish, ok(found.volume));
      } else if (found !== undefined) {
        placed.push(found);
        rooms = rooms.map((room) => (room.disk === found.on ? withTaken(room, found) : room));
      }
    } catch (error) {
      outcomes.set(wish, err(error));
    }
  }
  const makeOn = async (on: OwnDisk): Promise<void> => {
    const own: PlacedWish[] = [];
    for (const each of placed.filter((one) => one.on === on)) {
      // Somebody may still use what was there before: that is no reason for the others to fail.
      const cleared = await clearKernel(on.disk.path, each.partition, run).then(ok, err);
      if (cleared.ok) {
        own.push(each);
      } else {
        outcomes.set(each.wish, cleared);
      }
    }
    const partitions = own.map(({ partition }) => partition);
    const made = await createOn(on, partitions, { run, readTable }).then(ok, err);
    for (const { wish, partition } of own) {
      outcomes.set(wish, made.ok ? ok(toVolume(wish.request, partition)) : made);
    }
  };
  await Promise.all([...new Set(placed.map(({ on }) => on))].map(makeOn));
  return outcomes;
}

/** @returns nothing where there is no room for it */
function findOrPlace(
  wish: Wish,
  { partitions }: PoolLook,
  rooms: readonly Room<OwnDisk>[],
  cutting: Cutting,
): PlacedWish | { readonly volume: BackendVolume } | undefined {
  const { request, signal } = wish;
  signal.throwIfAborted();
  const existing = ownVolume(partitions, request);
  if (existing !== undefined) {
    return { volume: largeEnough(existing, request).volume };
  }
  const place = placeIn(rooms, partitionBytesFor(request.bytes), cutting);
  return place && { wish, on: place.disk, partition: partitionOf(request, place.region) };
}

/** Numbers begin at 1: this one has none yet. */
function withTaken<D>({ disk, table }: Room<D>, { partition }: PlacedWish): Room<D> {
  const partitions = [...table.partitions, { ...partition, number: 0 }];
  return { disk, table: { ...table, partitions } };
}

/** Where new volumes may go. */
export function roomsOf({ own }: PoolLook): readonly Room<OwnDisk>[] {
  return own.filter(({ selected }) => selected).map((disk) => ({ disk, table: disk.table }));
}

function noSpace({ pool, cutting }: Making, look: PoolLook, request: VolumeRequest): NoSpaceError {
  const wanted = partitionBytesFor(request.bytes);
  const { free, largest } = measureRooms(roomsOf(look), cutting);
  const { volumes } = look.partitions;
  const total = sumBytes([...volumes.map(({ volume }) => volume.allocatedBytes), free]);
  const gone = look.disks.filter(({ state }) => state === 'missing').map(({ id }) => id);
  return new NoSpaceError(
    `pool ${pool} has ${formatBytes(free)} free of ${formatBytes(total)}, at most ${formatBytes(largest)} in one piece; ` +
      `${formatBytes(wanted)} are needed (${wanted - largest} bytes more)` +
      (gone.length > 0 ? `; missing of its disks: ${gone.join(', ')}` : ''),
  );
}
