import type { Reconcile } from './controller.ts';
import type { EventSink, Now } from './ports.ts';

/** A claim that outlives its service instance. */
export interface RetainedClaim {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** When it is deleted, in milliseconds since the epoch. */
  readonly deleteAfter: number;
}

export interface RetainedPorts {
  readonly claims: {
    /** By `namespace/name`, from memory; nothing for any other claim. */
    get(key: string): RetainedClaim | undefined;
    /** Live. */
    read(key: string): Promise<RetainedClaim | undefined>;
    remove(claim: RetainedClaim): Promise<void>;
    /** Live: the names of pods that use it. */
    usersOf(claim: RetainedClaim): Promise<readonly string[]>;
  };
  readonly events: EventSink;
  readonly now: Now;
}

/** A timer holds some 24 days at most, and the clock may be set meanwhile. */
const longestWaitMs = 3_600_000;
/** How often to look whether pods still use a claim whose time is over. */
const usedMs = 60_000;

/**
 * Deletes claims whose instance is gone, once the time is over that they were kept for. The mark
 * on the claim is all there is: whoever takes it off keeps the claim for good.
 */
export function endRetained({ claims, events, now }: RetainedPorts): Reconcile {
  return async (key) => {
    const known = claims.get(key);
    if (known === undefined) {
      return undefined;
    }
    const leftMs = known.deleteAfter - now();
    if (leftMs > 0) {
      return Math.min(leftMs, longestWaitMs);
    }
    const claim = await claims.read(key);
    if (claim === undefined || claim.deleteAfter > now()) {
      return undefined;
    }
    const { namespace, name, uid } = claim;
    const about = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid };
    const users = await claims.usersOf(claim);
    if (users.length > 0) {
      const text = `its time is over, and it is kept while it is used by ${users.join(', ')}`;
      events.warning(about, 'BrokerClaimInUse', text);
      return usedMs;
    }
    events.normal(about, 'BrokerClaimExpired', 'its instance is gone, and its time is over');
    await claims.remove(claim);
    return undefined;
  };
}
