import { expect } from 'chai';
import {
  authorityLifetimeMs,
  clockSkewMs,
  decideRenewal,
  isStillTrusted,
  nextRenewalAt,
  serverLifetimeMs,
  type PairFacts,
  type Validity,
} from '../../../src/certs/rotate.ts';

const dayMs = 86_400_000;
const madeAt = Date.parse('2026-01-01T00:00:00Z');

function made(at: number, lifetimeMs: number): Validity {
  return { from: at - clockSkewMs, until: at + lifetimeMs };
}

function facts(change: Partial<PairFacts> = {}): PairFacts {
  return {
    authority: made(madeAt, authorityLifetimeMs),
    server: made(madeAt, serverLifetimeMs),
    namesCovered: true,
    ...change,
  };
}

describe('decideRenewal', () => {
  it('renews the server at two thirds of its 90 days, and not before', () => {
    expect(decideRenewal(facts(), madeAt + 60 * dayMs - 1)).to.equal('keep');
    expect(decideRenewal(facts(), madeAt + 60 * dayMs)).to.equal('renew-server');
    expect(nextRenewalAt(facts())).to.equal(madeAt + 60 * dayMs);
  });

  it('renews the authority at two thirds of its five years, whatever the server', () => {
    const at = madeAt + (authorityLifetimeMs * 2) / 3;
    const server = made(at - dayMs, serverLifetimeMs);

    expect(decideRenewal(facts({ server }), at - 1)).to.equal('keep');
    expect(decideRenewal(facts({ server }), at)).to.equal('renew-authority');
  });

  it('renews the server when it is called by another name', () => {
    expect(decideRenewal(facts({ namesCovered: false }), madeAt)).to.equal('renew-server');
  });

  it('renews what is not valid yet, as after a clock was set back', () => {
    const early = madeAt - 2 * clockSkewMs;

    expect(decideRenewal(facts(), early)).to.equal('renew-authority');
    expect(
      decideRenewal(facts({ authority: made(early - dayMs, authorityLifetimeMs) }), early),
    ).to.equal('renew-server');
  });
});

describe('isStillTrusted', () => {
  const old = made(madeAt - authorityLifetimeMs / 2, authorityLifetimeMs);

  it('trusts a replaced authority for one lifetime of what it signed', () => {
    const successor = made(madeAt, authorityLifetimeMs);

    expect(isStillTrusted(old, successor, madeAt + serverLifetimeMs - 1)).to.equal(true);
    expect(isStillTrusted(old, successor, madeAt + serverLifetimeMs)).to.equal(false);
  });

  it('does not trust one that has expired', () => {
    expect(isStillTrusted(old, made(old.until, authorityLifetimeMs), old.until)).to.equal(false);
  });
});
