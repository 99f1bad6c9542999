import { bytes, formatBytes, minusBytes, type Bytes } from './bytes.ts';
import { parseQuantity } from './quantity.ts';
import { err, ok, type Result } from './result.ts';
import { shown } from './shown.ts';

/** What an operator keeps back of a pool on each node. */
export interface PoolLimits {
  /** Room that no volume gets, of the pool's total. */
  readonly reserve: Reserve;
  /** `Infinity` where nothing is said. */
  readonly maxVolumes: number;
}

export type Reserve =
  | { readonly kind: 'bytes'; readonly bytes: Bytes }
  | { readonly kind: 'percent'; readonly percent: number };

export const noLimits: PoolLimits = {
  reserve: { kind: 'bytes', bytes: bytes(0) },
  maxVolumes: Infinity,
};

/** Whether they keep anything back at all. */
export function hasLimits({ reserve, maxVolumes }: PoolLimits): boolean {
  const isNothing = reserve.kind === 'bytes' ? reserve.bytes === 0 : reserve.percent === 0;
  return !isNothing || maxVolumes !== Infinity;
}

/** Reads `StoragePool.spec.reserve`: a size such as `50Gi`, or a share such as `10%`. */
export function parseReserve(value: unknown): Result<Reserve, string> {
  if (value === undefined) {
    return ok(noLimits.reserve);
  }
  const text = typeof value === 'number' || typeof value === 'string' ? String(value) : '';
  const share = /^(\d{1,2}(?:\.\d{1,3})?)%$/.exec(text);
  if (share) {
    return ok({ kind: 'percent', percent: Number(share[1]) });
  }
  const size = parseQuantity(text);
  return size.ok
    ? ok({ kind: 'bytes', bytes: size.value })
    : err(`reserve is ${shown(value)}: a size such as 50Gi or a share from 0% to 99% is allowed`);
}

/** Reads `StoragePool.spec.maxVolumes`: how many volumes one node may have in the pool. */
export function parseMaxVolumes(value: unknown): Result<number, string> {
  if (value === undefined) {
    return ok(noLimits.maxVolumes);
  }
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 10_000
    ? ok(value)
    : err(`maxVolumes is ${shown(value)}: a whole number from 0 to 10000 is allowed`);
}

/** Reads both from the spec of a StoragePool. */
export function parseLimits(spec: {
  readonly reserve?: unknown;
  readonly maxVolumes?: unknown;
}): Result<PoolLimits, string> {
  const reserve = parseReserve(spec.reserve);
  const maxVolumes = parseMaxVolumes(spec.maxVolumes);
  return reserve.ok && maxVolumes.ok
    ? ok({ reserve: reserve.value, maxVolumes: maxVolumes.value })
    : err([reserve, maxVolumes].flatMap((each) => (each.ok ? [] : [each.error])).join('; '));
}

/** The room that the reserve takes of a pool with this total. */
function reservedOf(reserve: Reserve, total: Bytes): Bytes {
  return reserve.kind === 'bytes'
    ? bytes(Math.min(reserve.bytes, total))
    : bytes(Math.ceil((total * reserve.percent) / 100));
}

interface Room {
  readonly total: Bytes;
  readonly free: Bytes;
  readonly largest: Bytes;
  readonly volumes: readonly string[];
}

/** What is left for volumes when the limits are kept: the reserve counts as if it did not exist. */
export function withinLimits<R extends Room>(room: R, { reserve, maxVolumes }: PoolLimits): R {
  const reserved = reservedOf(reserve, room.total);
  const total = minusBytes(room.total, reserved);
  const isFull = room.volumes.length >= maxVolumes;
  const free = isFull ? bytes(0) : minusBytes(room.free, reserved);
  return { ...room, total, free, largest: bytes(Math.min(room.largest, free)) };
}

/** Why a volume that would occupy `wanted` must not be made; nothing where it may. */
export function whyBeyondLimits(room: Room, limits: PoolLimits, wanted: Bytes): string | undefined {
  const { maxVolumes } = limits;
  return room.volumes.length >= maxVolumes
    ? `it has ${room.volumes.length} volumes and may have ${maxVolumes} on one node`
    : whyBeyondReserve(room, limits, wanted);
}

/** Why a volume that is there must not occupy `wanted` more; nothing where it may. */
export function whyBeyondReserve(
  room: Room,
  { reserve }: PoolLimits,
  wanted: Bytes,
): string | undefined {
  const reserved = reservedOf(reserve, room.total);
  const free = minusBytes(room.free, reserved);
  return reserved > 0 && wanted > free
    ? `it has ${formatBytes(free)} free beside its reserve of ${formatBytes(reserved)}, ${formatBytes(wanted)} are needed`
    : undefined;
}
