const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

export const serverLifetimeMs = 90 * dayMs;
export const authorityLifetimeMs = 5 * 365 * dayMs;
/** Certificates begin this long before they are made, for machines whose clocks are behind. */
export const clockSkewMs = hourMs;

/** Milliseconds since the epoch. */
export interface Validity {
  readonly from: number;
  readonly until: number;
}

export interface PairFacts {
  readonly authority: Validity;
  readonly server: Validity;
  /** Whether the certificate is good for every name the server is called by. */
  readonly namesCovered: boolean;
}

export type Renewal = 'keep' | 'renew-server' | 'renew-authority';

/**
 * Whether certificates are made anew: at two thirds of their life, so that a cluster that was
 * switched off for a month comes back with a valid one.
 */
export function decideRenewal(facts: PairFacts, now: number): Renewal {
  if (now < facts.authority.from || now >= renewAt(facts.authority)) {
    return 'renew-authority';
  }
  const due = now < facts.server.from || now >= renewAt(facts.server) || !facts.namesCovered;
  return due ? 'renew-server' : 'keep';
}

/** When the first of the two is due. */
export function nextRenewalAt({ authority, server }: PairFacts): number {
  return Math.min(renewAt(authority), renewAt(server));
}

function renewAt({ from, until }: Validity): number {
  const made = from + clockSkewMs;
  return made + ((until - made) * 2) / 3;
}

/**
 * Whether an authority that was replaced must still be trusted. It signs nothing any more, since
 * its key is gone, so what it signed is over one server lifetime after its successor was made:
 * until then a replica may still show such a certificate.
 */
export function isStillTrusted(replaced: Validity, successor: Validity, now: number): boolean {
  return now < replaced.until && now < successor.from + clockSkewMs + serverLifetimeMs;
}
