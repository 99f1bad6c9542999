/** What the kernel has counted of a device since it met it. */
export interface IoCounts {
  /** Reads and writes that have ended. */
  readonly ios: number;
  readonly bytes: number;
  /** How long they took, all together; milliseconds. */
  readonly waitMs: number;
  /** How long at least one was under way. */
  readonly busyMs: number;
  readonly discards: number;
  /** How many are under way now. */
  readonly inFlight: number;
}

/** What is usual for a device: geometric means over the intervals in which it had enough to do. */
export interface UsualLatency {
  readonly intervals: number;
  readonly logWait: number;
  readonly logBusy: number;
}

export const nothingUsual: UsualLatency = { intervals: 0, logWait: 0, logBusy: 0 };

export interface LatencyLook {
  readonly usual: UsualLatency;
  /** Why it is slow, with numbers; missing where it is not, or had too little to do. */
  readonly slow?: string | undefined;
}

/** So few tell nothing; a disk that takes two seconds for each does not end more in ten. */
const leastIos = 5;
/** Intervals with enough to do until its own history counts. */
const leastIntervals = 30;
/** Over about how many intervals the usual is a mean. */
const memory = 360;
/** No mean below this is slow, whatever was usual. */
const leastWaitMs = 50;
const waitFactor = 8;
const leastBusyMs = 5;
const busyFactor = 4;
/** Slow for any disk, also for one that nothing is known of. */
const alwaysWaitMs = 1_000;
const alwaysBusyMs = 100;
/** Large requests may take this time besides. */
const bytesPerMs = 50_000;
/** The counters have whole milliseconds. */
const finestMs = 0.01;

interface Means {
  readonly waitMs: number;
  readonly busyMs: number;
  /** Of the busy time, what the size of the requests explains. */
  readonly transferMs: number;
}

/**
 * Compares what a device did between two looks with what is usual for it. A long wait alone is no
 * sign, a busy disk has a long queue; it must also be busy for long with each request, in which a
 * healthy disk does not differ under load.
 *
 * An interval in which it was slow is never learnt from.
 */
export function judgeLatency(
  [before, after]: readonly [IoCounts, IoCounts],
  elapsedMs: number,
  usual: UsualLatency,
): LatencyLook {
  const ios = after.ios - before.ios;
  if (ios === 0 && before.inFlight > 0 && after.inFlight > 0) {
    const slow = `none of ${after.inFlight} requests has been answered for ${Math.round(elapsedMs / 1_000)} s`;
    return { usual, slow: after.discards === before.discards ? slow : undefined };
  }
  // Reads wait behind discards, which take as long as they like.
  if (ios < leastIos || after.discards !== before.discards) {
    return { usual };
  }
  const means = {
    waitMs: (after.waitMs - before.waitMs) / ios,
    busyMs: (after.busyMs - before.busyMs) / ios,
    transferMs: (after.bytes - before.bytes) / ios / bytesPerMs,
  };
  const limits = limitsBy(usual);
  const isSlow = means.waitMs >= limits.waitMs && means.busyMs >= limits.busyMs + means.transferMs;
  return isSlow ? { usual, slow: slowText(ios, means, usual) } : { usual: learn(usual, means) };
}

function limitsBy(usual: UsualLatency): Omit<Means, 'transferMs'> {
  if (usual.intervals < leastIntervals) {
    return { waitMs: alwaysWaitMs, busyMs: alwaysBusyMs };
  }
  return {
    waitMs: Math.max(leastWaitMs, waitFactor * Math.exp(usual.logWait)),
    busyMs: Math.max(leastBusyMs, busyFactor * Math.exp(usual.logBusy)),
  };
}

function slowText(ios: number, { waitMs }: Means, { intervals, logWait }: UsualLatency): string {
  const isKnown = intervals >= leastIntervals;
  const compared = isKnown ? `, usual are ${shownMs(Math.exp(logWait))}` : '';
  return `${ios} requests took ${shownMs(waitMs)} each${compared}`;
}

function shownMs(ms: number): string {
  return `${ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms)} ms`;
}

function learn(usual: UsualLatency, { waitMs, busyMs }: Means): UsualLatency {
  const intervals = usual.intervals + 1;
  const part = 1 / Math.min(intervals, memory);
  const towards = (mean: number, ms: number): number =>
    mean + part * (Math.log(Math.max(ms, finestMs)) - mean);
  return {
    intervals,
    logWait: towards(usual.logWait, waitMs),
    logBusy: towards(usual.logBusy, busyMs),
  };
}
