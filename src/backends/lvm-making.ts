import { bytes } from '../model/bytes.ts';
import { NoSpaceError } from '../model/errors.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { VolumeIdentity } from '../model/volume.ts';
import { numberOf } from '../platform/mapped-devices.ts';
import type { BackendVolume, PoolUsage, VolumeRequest } from '../usecases/ports.ts';
import { createVolume, finishVolumes, type Change } from './lvm-changes.ts';
import { groupNameOf, type PoolGroup } from './lvm-group.ts';
import type { Group } from './lvm-look.ts';
import { allocatedFor, usableFor, type LvmOptions } from './lvm-options.ts';
import { mappedPath } from './lvm-signs.ts';
import { noSpace } from './lvm-space.ts';
import { ownVolume } from './lvm-volumes.ts';
import { largeEnough } from './shared/proven.ts';
import type { Outcomes } from './shared/together.ts';

export interface LvmMaking {
  readonly pool: string;
  readonly options: LvmOptions;
  readonly pooled: PoolGroup;
  readonly changeIn: (group: Group) => Change;
  readonly measured: (group?: Group) => PoolUsage;
  /** Takes what is half made away. */
  readonly tidy: () => Promise<void>;
  /** The uids of volumes that were made just now, by name: they are active, and nobody has touched them. */
  readonly fresh: Map<string, string>;
}

/** One call of `StorageBackend.ensure`. */
export interface Wish {
  readonly request: VolumeRequest;
  readonly signal: AbortSignal;
}

type Outcome = Result<BackendVolume, unknown>;

/** Makes volumes with different names after one look; the last step, of one command, makes them whole, all or none. */
export async function makeAll(
  making: LvmMaking,
  wishes: readonly Wish[],
): Promise<Outcomes<Wish, BackendVolume>> {
  const before = await making.pooled.look();
  const outcomes = new Map(wishes.flatMap((wish) => findOne(making, before, wish)));
  const missing = wishes.filter((wish) => !outcomes.has(wish));
  const [first] = missing;
  if (first === undefined) {
    return outcomes;
  }
  const { group } = await making.pooled.settle(before, first.signal);
  const made = await makeIn(making, group, missing);
  if ([...made.values()].some((each) => !each.ok)) {
    await making.tidy();
  }
  // How much they have taken of what others wait for is seen only now.
  const late = missing.filter((wish) => isNoSpace(made.get(wish)));
  const isRetried = late.length > 0 && late.length < missing.length;
  const again = isRetried ? await makeAll(making, late) : [];
  return new Map([...outcomes, ...made, ...again]);
}

/**
 * Where the device of a volume is that was made just now: asking LVM for it again would take as long as making it.
 *
 * @returns nothing the second time, and for what is no longer there
 */
export async function takeFresh(
  { pool, options, fresh }: LvmMaking,
  { name, volumeUid }: VolumeIdentity,
): Promise<string | undefined> {
  const isFresh = fresh.get(name) === volumeUid;
  fresh.delete(name);
  const path = mappedPath(groupNameOf(options, pool), name);
  return isFresh && (await numberOf(path)) !== undefined ? path : undefined;
}

function findOne(
  { pool }: LvmMaking,
  group: Group | undefined,
  wish: Wish,
): readonly (readonly [Wish, Outcome])[] {
  try {
    const own = group && ownVolume(group, pool, wish.request);
    return own ? [[wish, ok(largeEnough(own, wish.request).volume)]] : [];
  } catch (error) {
    return [[wish, err(error)]];
  }
}

async function makeIn(
  making: LvmMaking,
  group: Group | undefined,
  wishes: readonly Wish[],
): Promise<ReadonlyMap<Wish, Outcome>> {
  const room = making.measured(group);
  const outcomes = new Map<Wish, Outcome>();
  let left = room.free;
  for (const wish of wishes) {
    const made = await makeOne(making, group, { ...room, free: left }, wish).then(ok, err);
    outcomes.set(wish, made);
    left = bytes(left - (made.ok ? made.value.allocatedBytes : 0));
  }
  const made = [...outcomes].flatMap(([wish, outcome]) => (outcome.ok ? [wish] : []));
  if (group === undefined || made.length === 0) {
    return outcomes;
  }
  const names = made.map(({ request }) => request.name);
  const finished = await finishVolumes(making.changeIn(group), names).then(ok, err);
  if (finished.ok) {
    made.forEach(({ request }) => making.fresh.set(request.name, request.volumeUid));
  }
  return finished.ok
    ? outcomes
    : new Map([...outcomes, ...made.map((wish) => [wish, finished] as const)]);
}

async function makeOne(
  { pool, options, changeIn }: LvmMaking,
  group: Group | undefined,
  room: PoolUsage,
  { request, signal }: Wish,
): Promise<BackendVolume> {
  signal.throwIfAborted();
  const { name, volumeUid } = request;
  const allocatedBytes = allocatedFor(options, request.bytes);
  if (group === undefined || allocatedBytes > Math.min(room.largest, room.free)) {
    throw noSpace(pool, room, allocatedBytes);
  }
  const usable = usableFor(options, request.bytes);
  await createVolume(changeIn(group), request, usable, options.layout);
  return { name, volumeUid, bytes: usable, allocatedBytes };
}

function isNoSpace(outcome: Outcome | undefined): boolean {
  return outcome?.ok === false && outcome.error instanceof NoSpaceError;
}
