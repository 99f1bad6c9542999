/**
 * How well a disk, a pool or a volume is. `suspect` is told and changes nothing; on what is
 * `failing` nothing new is made.
 */
export type IllState = 'suspect' | 'failing';

export interface Health {
  readonly state: IllState;
  /** One word for programs. */
  readonly reason: TroubleReason;
  readonly message: string;
  /** When it was first seen so; RFC 3339. */
  readonly since: string;
}

/** What is seen of a device at one look. */
export interface Finding {
  /** Its name in the kernel, such as `sdb1`. */
  readonly device: string;
  readonly reason: TroubleReason;
  /** Missing where it was looked for and all is well; what cannot be read gives no finding at all. */
  readonly message?: string | undefined;
}

/** One thing that is wrong with one device. */
export interface Trouble {
  readonly reason: TroubleReason;
  readonly message: string;
  /** When it began; milliseconds since the epoch, as `lastSeen`. */
  readonly since: number;
  readonly lastSeen: number;
  /** At how many looks it was seen. */
  readonly times: number;
  /** At how many looks in a row it was looked for and not found. */
  readonly wellLooks: number;
}

interface Rule {
  /**
   * Stays until somebody repairs it, so it is over when it is looked for and not found. What does
   * not last is over when it was not seen again for a time.
   */
  readonly lasts: boolean;
  /** At how many looks it must have been seen to count as failing. */
  readonly failsAfter: number;
  /** The same for being spoken of at all; 1 where not given. */
  readonly toldAfter?: number;
}

const never = Infinity;

const rules = {
  FilesystemErrors: { lasts: true, failsAfter: 1 },
  FilesystemReadOnly: { lasts: true, failsAfter: 1 },
  FilesystemShutDown: { lasts: true, failsAfter: 1 },
  SmartFailed: { lasts: true, failsAfter: 1 },
  SmartWarning: { lasts: true, failsAfter: never },
  // The command may have come at a bad moment.
  SmartUnreadable: { lasts: true, failsAfter: never, toldAfter: 2 },
  LvmFailed: { lasts: true, failsAfter: 1 },
  // All data is there, with one copy less of it than was asked for.
  LvmDegraded: { lasts: true, failsAfter: never },
  // The disks are well: it is for somebody to give it room, not for volumes to be given up.
  ThinPoolFull: { lasts: true, failsAfter: never },
  WriteErrors: { lasts: false, failsAfter: 1 },
  // A sector that cannot be read may be the only one, and is mended when it is written.
  ReadErrors: { lasts: false, failsAfter: 3 },
  // Commands that a disk does not know count as well: no proof alone, ever.
  CommandErrors: { lasts: false, failsAfter: never, toldAfter: 3 },
  // A matter of degree, with many harmless causes: nothing is given up for it.
  Slow: { lasts: false, failsAfter: never, toldAfter: 6 },
} as const satisfies Record<string, Rule>;

export type TroubleReason = keyof typeof rules;
export const troubleReasons = Object.keys(rules) as readonly TroubleReason[];

/** Looks in a row without it that end what lasts: one look may fall into the middle of a repair. */
const wellLooksToEnd = 2;

function ruleOf(reason: TroubleReason): Rule {
  return rules[reason];
}

export interface LookTime {
  readonly now: number;
  /** How long what does not last must not have been seen to be over; milliseconds. */
  readonly quietMs: number;
}

/**
 * What is wrong with one device after one more look at it.
 *
 * @param findings - of this device; several of one reason count as one
 */
export function judgeLook(
  before: readonly Trouble[],
  findings: readonly Finding[],
  { now, quietMs }: LookTime,
): readonly Trouble[] {
  const seen = new Map(
    findings.map((finding) => [finding.reason, undefined as string | undefined]),
  );
  for (const { reason, message } of findings) {
    seen.set(reason, message ?? seen.get(reason));
  }
  const reasons = new Set([...before.map(({ reason }) => reason), ...seen.keys()]);
  return [...reasons].flatMap((reason) => {
    const known = before.find((trouble) => trouble.reason === reason);
    const message = seen.get(reason);
    if (message !== undefined) {
      return [again(known, reason, message, now)];
    }
    const next = known && waited(known, seen.has(reason));
    return next === undefined || isOver(next, now, quietMs) ? [] : [next];
  });
}

function again(
  known: Trouble | undefined,
  reason: TroubleReason,
  message: string,
  now: number,
): Trouble {
  const times = (known?.times ?? 0) + 1;
  const next = { reason, message, since: known?.since ?? now, lastSeen: now, times, wellLooks: 0 };
  // Its first words stay while it is as bad as it was: a counter that runs must not cost writes.
  return known && stateOf(known) === stateOf(next) ? { ...next, message: known.message } : next;
}

function waited(known: Trouble, isWell: boolean): Trouble {
  return isWell ? { ...known, wellLooks: known.wellLooks + 1 } : known;
}

function isOver({ reason, lastSeen, wellLooks }: Trouble, now: number, quietMs: number): boolean {
  return ruleOf(reason).lasts ? wellLooks >= wellLooksToEnd : now - lastSeen >= quietMs;
}

/** @returns nothing for what has not been seen often enough to be worth a word */
function stateOf({ reason, times }: Trouble): IllState | undefined {
  const { failsAfter, toldAfter = 1 } = ruleOf(reason);
  if (times >= failsAfter) {
    return 'failing';
  }
  return times >= toldAfter ? 'suspect' : undefined;
}

/** The trouble as somebody who starts anew takes it over: it has just been seen. */
export function resumeTrouble({ state, reason, message, since }: Health, now: number): Trouble {
  const { failsAfter, toldAfter = 1 } = ruleOf(reason);
  const times = state === 'failing' ? failsAfter : toldAfter;
  const began = Date.parse(since);
  const isReadable = !Number.isNaN(began);
  return { reason, message, since: isReadable ? began : now, lastSeen: now, times, wellLooks: 0 };
}

/** What each trouble comes to by itself; those not worth a word are left out. */
export function healthsOf(troubles: readonly Trouble[]): readonly Health[] {
  return troubles.flatMap((trouble) => {
    const state = stateOf(trouble);
    const { reason, message, since } = trouble;
    return state ? [{ state, reason, message, since: new Date(since).toISOString() }] : [];
  });
}

/** What all that is wrong comes to: the worst, and of equals the oldest. Nothing where all is well. */
export function worstOf(healths: readonly Health[]): Health | undefined {
  return [...healths].sort(
    (a, b) =>
      badness(b.state) - badness(a.state) ||
      compare(a.since, b.since) ||
      compare(a.reason, b.reason),
  )[0];
}

/** The same for the troubles of one device. */
export function healthOf(troubles: readonly Trouble[]): Health | undefined {
  return worstOf(healthsOf(troubles));
}

function badness(state: IllState): number {
  return state === 'failing' ? 2 : 1;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
