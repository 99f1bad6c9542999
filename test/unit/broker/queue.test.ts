import { expect } from 'chai';
import fc from 'fast-check';
import type { Work } from '../../../src/broker/instance.ts';
import { standInLine, turnOf, type FreedRoom, type Rival } from '../../../src/broker/queue.ts';
import {
  claimPart,
  instanceWith,
  placeholderPart,
  type InstanceFacts,
} from '../../support/broker/moments.ts';

const room: FreedRoom = { freedAt: 0, settleMs: 3_000, now: 100_000 };
const rival = (name: string, standing: Rival['standing'], more: Partial<Rival> = {}): Rival => ({
  ...{ name, standing, startedAt: '2030', holds: false, askedAt: 50_000, ...more },
});

describe('the place of an instance in the line', () => {
  const work = (step: Work['step'], leaving: string[] = []): InstanceFacts => ({
    work: { step, leaving },
  });
  const parts = { claims: [claimPart(0)], placeholders: [placeholderPart(0, 'asking')] };
  const none = { claims: [], placeholders: [] };
  const standing = (facts: InstanceFacts, its = none as typeof parts) =>
    standInLine('a', instanceWith(facts), its)?.standing;

  it('follows from its work and what the scheduler says', () => {
    expect(standing({})).to.equal('idle');
    expect(standing(work('placing'), parts)).to.equal('moving');
    const refused = { ...parts, placeholders: [placeholderPart(0, 'refused')] };
    expect(standing(work('placing'), refused)).to.equal('blocked');
    const open = [placeholderPart(0, 'refused'), placeholderPart(1, 'asking')];
    expect(standing(work('placing'), { ...parts, placeholders: open })).to.equal('moving');
    expect(standing(work('waiting'))).to.equal('waiting');
  });

  it('is that of one who frees room, until all of it is gone', () => {
    expect(standing(work('waiting'), parts)).to.equal('releasing');
    expect(standing(work('waiting', ['pvc-1']))).to.equal('releasing');
    expect(standing(work('undoing'))).to.equal('releasing');
    expect(standing({ ...work('leaving'), kind: 'deprovision' })).to.equal('releasing');
  });

  it('is none for what neither needs room nor frees any', () => {
    expect(standing({ kind: 'update' }, parts)).to.equal(undefined);
    expect(standing({ kind: 'deprovision' }, parts)).to.equal(undefined);
  });
});

describe('whose turn it is', () => {
  it('lets all begin together while nobody is short of room', () => {
    const others = [rival('b', 'moving'), rival('c', 'idle'), rival('d', 'releasing')];
    expect(turnOf(rival('z', 'idle'), others, room)).to.equal('enter');
  });

  it('lets nobody begin while somebody is blocked', () => {
    expect(turnOf(rival('a', 'idle'), [rival('b', 'blocked')], room)).to.equal('wait');
    expect(turnOf(rival('a', 'waiting'), [rival('b', 'blocked')], room)).to.equal('wait');
  });

  it('lets one begin after the other once somebody has given back', () => {
    const others = [rival('b', 'waiting'), rival('c', 'idle')];
    expect(turnOf(rival('a', 'idle'), others, room)).to.equal('enter');
    expect(turnOf(rival('c', 'idle'), [rival('b', 'waiting')], room)).to.equal('wait');
    expect(turnOf(rival('a', 'waiting'), [rival('z', 'moving')], room)).to.equal('wait');
  });

  it('decides nothing while room may come free, or was freed just now', () => {
    for (const other of ['moving', 'releasing'] as const) {
      expect(turnOf(rival('a', 'blocked'), [rival('b', other)], room)).to.equal('wait');
    }
    expect(turnOf(rival('a', 'blocked'), [], { ...room, freedAt: 98_000 })).to.equal('wait');
  });

  it('asks again where a refusal is older than room that came free', () => {
    const stale = { ...room, freedAt: 60_000 };
    expect(turnOf(rival('a', 'blocked'), [], stale)).to.equal('ask');
    const fresh = rival('a', 'blocked', { askedAt: 70_000 });
    expect(turnOf(fresh, [rival('b', 'blocked')], stale)).to.equal('wait');
    expect(turnOf(fresh, [], stale)).to.equal('fail');
  });

  it('lets the youngest that holds something give back, and never the oldest', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => rival(name, 'blocked', { holds: true }));
    const all = [a, b, c] as const as readonly Rival[];
    const turns = all.map((me) =>
      turnOf(
        me,
        all.filter((one) => one !== me),
        room,
      ),
    );
    expect(turns).to.deep.equal(['wait', 'wait', 'give-back']);
  });

  it('lets the oldest fail when only it holds anything, and others wait for that', () => {
    const a = rival('a', 'blocked', { holds: true });
    const b = rival('b', 'blocked');
    expect(turnOf(a, [b], room)).to.equal('fail');
    expect(turnOf(b, [a], room)).to.equal('wait');
  });

  it('lets all fail at once when nobody holds anything', () => {
    const [a, b] = [rival('a', 'blocked'), rival('b', 'blocked')];
    expect([turnOf(a, [b], room), turnOf(b, [a], room)]).to.deep.equal(['fail', 'fail']);
  });

  const arbitrary = fc
    .array(
      fc.record({
        standing: fc.constantFrom<Rival['standing']>('idle', 'waiting', 'blocked'),
        holds: fc.boolean(),
        startedAt: fc.constantFrom('2030', '2031', '2032'),
        askedAt: fc.constantFrom(10_000, 90_000),
      }),
      { minLength: 1, maxLength: 8 },
    )
    .map((all) => all.map((one, i) => ({ name: `i${i}`, ...one })));

  it('is always that of somebody, once all is quiet', () => {
    fc.assert(
      fc.property(arbitrary, fc.constantFrom(0, 50_000), (all, freedAt) => {
        const turns = all.map((me) =>
          turnOf(
            me,
            all.filter((one) => one !== me),
            { ...room, freedAt },
          ),
        );
        return turns.some((turn) => turn !== 'wait');
      }),
    );
  });

  it('never lets one fail while another could give something back', () => {
    fc.assert(
      fc.property(arbitrary, (all) =>
        all.every((me) => {
          const others = all.filter((one) => one !== me);
          const could = others.some(({ standing, holds }) => standing === 'blocked' && holds);
          return turnOf(me, others, room) !== 'fail' || !could;
        }),
      ),
    );
  });
});
