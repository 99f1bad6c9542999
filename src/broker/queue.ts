import type { Instance, Work } from './instance.ts';
import type { Parts } from './parts.ts';
import { workOf } from './work.ts';

/**
 * Where an instance stands among those that look for room at the same time.
 *
 * `idle`: it has not begun. `moving`: the scheduler is at work for it. `blocked`: the scheduler has
 * no node for some of it, and all its other placeholders have theirs. `waiting`: it has given back
 * what it had. `releasing`: room will come free by it.
 */
export interface Rival {
  readonly name: string;
  /** ISO 8601: who asked first goes first. */
  readonly startedAt: string;
  readonly standing: 'idle' | 'moving' | 'blocked' | 'waiting' | 'releasing';
  /** Whether others could use what it has. */
  readonly holds: boolean;
  /** When the oldest of its refusals was asked for, in milliseconds since the epoch. */
  readonly askedAt: number;
}

/** What is known of room that came free. */
export interface FreedRoom {
  /** When some was last seen to come free, in milliseconds since the epoch. */
  readonly freedAt: number;
  /** How long nodes may take to report it. */
  readonly settleMs: number;
  readonly now: number;
}

/** The place of an instance in the line; nothing for one that neither needs room nor frees any. */
export function standInLine(name: string, instance: Instance, parts: Parts): Rival | undefined {
  const standing = standingOf(instance, parts);
  const { startedAt } = instance.operation;
  return standing && { name, startedAt, standing, ...blockedSince(parts) };
}

function standingOf(instance: Instance, parts: Parts): Rival['standing'] | undefined {
  const work = workOf(instance);
  if (isReleasing(work, parts)) {
    return 'releasing';
  }
  if (instance.operation.kind !== 'provision') {
    return undefined;
  }
  if (work?.step !== 'placing') {
    return work === undefined ? 'idle' : 'waiting';
  }
  return isBlocked(parts) ? 'blocked' : 'moving';
}

function isReleasing(work: Work | undefined, { claims, placeholders }: Parts): boolean {
  switch (work?.step) {
    case 'undoing':
    case 'leaving':
      return true;
    case 'waiting':
      return claims.length + placeholders.length + work.leaving.length > 0;
    default:
      return (work?.leaving.length ?? 0) > 0;
  }
}

function blockedSince({ claims, placeholders }: Parts): Pick<Rival, 'holds' | 'askedAt'> {
  const refused = placeholders.filter(({ standing }) => standing === 'refused');
  return {
    holds:
      claims.some(({ bound }) => bound) || placeholders.some((one) => one.standing === 'placed'),
    askedAt: Math.min(...refused.map(({ askedAt }) => askedAt)),
  };
}

function isBlocked({ placeholders }: Parts): boolean {
  const isOpen = placeholders.some(({ standing }) => standing === 'asking' || standing === 'ended');
  return !isOpen && placeholders.some(({ standing }) => standing === 'refused');
}

/**
 * What an instance may do now. `enter`: begin. `ask`: the refusal is older than room that has come
 * free; ask again. `give-back`: let older ones have what it holds. `fail`: nobody can free room.
 */
export type Turn = 'wait' | 'enter' | 'ask' | 'give-back' | 'fail';

/**
 * Whose turn it is. The scheduler places pods one by one, so sets that are placed at the same time
 * may each have a part of what they need. Then the youngest gives back first, until the oldest has
 * all of it, or nobody but the oldest holds anything: then there is no room for it.
 *
 * Nothing is decided while the scheduler is at work for anybody, or room is on its way to come free.
 */
export function turnOf(me: Rival, others: readonly Rival[], room: FreedRoom): Turn {
  switch (me.standing) {
    case 'idle':
    case 'waiting':
      return mayEnter(me, others, room) ? 'enter' : 'wait';
    case 'blocked':
      return turnOfBlocked(me, others, room);
    default:
      return 'wait';
  }
}

/** All may enter together until room gets short; from then on one after the other. */
function mayEnter(me: Rival, others: readonly Rival[], room: FreedRoom): boolean {
  const isAny = (...standings: readonly Rival['standing'][]): boolean =>
    others.some(({ standing }) => standings.includes(standing));
  if (isAny('blocked')) {
    return false;
  }
  if (me.standing === 'idle' && !isAny('waiting')) {
    return true;
  }
  const isFirst = others
    .filter(({ standing }) => standing === 'idle' || standing === 'waiting')
    .every((other) => isOlder(me, other));
  return isFirst && !isAny('moving', 'releasing') && isSettled(room);
}

function turnOfBlocked(me: Rival, others: readonly Rival[], room: FreedRoom): Turn {
  const isOpen = others.some(({ standing }) => standing === 'moving' || standing === 'releasing');
  if (isOpen || !isSettled(room)) {
    return 'wait';
  }
  const isStale = ({ askedAt }: Rival): boolean => askedAt < room.freedAt + room.settleMs;
  const blocked = [me, ...others.filter(({ standing }) => standing === 'blocked')].sort(byAge);
  if (blocked.some(isStale)) {
    return isStale(me) ? 'ask' : 'wait';
  }
  const [oldest] = blocked;
  const giver = blocked.findLast((one) => one.holds && one !== oldest);
  if (giver !== undefined) {
    return giver === me ? 'give-back' : 'wait';
  }
  return me === oldest || oldest?.holds === false ? 'fail' : 'wait';
}

function isSettled({ freedAt, settleMs, now }: FreedRoom): boolean {
  return now - freedAt >= settleMs;
}

function isOlder(a: Rival, b: Rival): boolean {
  return byAge(a, b) < 0;
}

function byAge(a: Rival, b: Rival): number {
  return a.startedAt < b.startedAt || (a.startedAt === b.startedAt && a.name < b.name) ? -1 : 1;
}
