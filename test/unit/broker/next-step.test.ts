import { expect } from 'chai';
import type { Work } from '../../../src/broker/instance.ts';
import { nextStep, unusedStep } from '../../../src/broker/next-step.ts';
import { bytes } from '../../../src/model/bytes.ts';
import { claimPart, momentOf, placeholderPart, start } from '../../support/broker/moments.ts';

const placing: Work = { step: 'placing', leaving: [] };
const bound = { bound: true, capacity: bytes(8) };
const both = [claimPart(0, bound), claimPart(1, bound)];
const late = start + 60_001;

describe('the next step of a provision', () => {
  it('is to wait for its turn, and to note when it comes', () => {
    expect(nextStep(momentOf({}))).to.deep.equal({ kind: 'wait' });
    expect(nextStep(momentOf({}, [], { turn: 'enter' }))).to.deep.equal({
      kind: 'note',
      work: placing,
    });
  });

  it('is to make what is missing, and only that', () => {
    expect(nextStep(momentOf({ work: placing }))).to.deep.equal({
      ...{ kind: 'make', claims: [0, 1], pods: [0, 1] },
    });
    const placeholders = [placeholderPart(1, 'asking')];
    expect(nextStep(momentOf({ work: placing }, [claimPart(0)], { placeholders }))).to.deep.equal({
      ...{ kind: 'make', claims: [1], pods: [0] },
    });
  });

  it('makes the placeholder of a bound claim again: others must not come beside it', () => {
    const claims = [claimPart(0, bound), claimPart(1)];
    const placeholders = [placeholderPart(1, 'asking')];
    expect(nextStep(momentOf({ work: placing }, claims, { placeholders }))).to.deep.equal({
      ...{ kind: 'make', claims: [], pods: [0] },
    });
  });

  it('is to see where they are once all are bound, also when time is over', () => {
    expect(nextStep(momentOf({ work: placing }, both, { now: late })).kind).to.equal('settle');
  });

  it('takes placeholders away that came to nothing', () => {
    const ended = placeholderPart(0, 'ended');
    const placeholders = [ended, placeholderPart(1, 'asking')];
    const claims = [claimPart(0), claimPart(1)];
    expect(nextStep(momentOf({ work: placing }, claims, { placeholders }))).to.deep.equal({
      kind: 'clear',
      placeholders: [ended],
    });
  });

  const refused = [placeholderPart(0, 'placed'), placeholderPart(1, 'refused')];
  const half = [claimPart(0, bound), claimPart(1)];

  for (const [turn, step] of [
    ['wait', { kind: 'wait' }],
    ['ask', { kind: 'clear', placeholders: [refused[1]] }],
    ['fail', { kind: 'give-up', why: 'room' }],
    ['give-back', { kind: 'note', work: { step: 'waiting', leaving: ['pvc-c0', 'pvc-c1'] } }],
  ] as const) {
    it(`follows the turn: ${turn}`, () => {
      const more = { placeholders: refused, turn };
      expect(nextStep(momentOf({ work: placing }, half, more))).to.deep.equal(step);
    });
  }

  for (const work of [undefined, placing, { step: 'waiting', leaving: [] } as Work]) {
    it(`gives up when its patience is over: ${work?.step ?? 'not begun'}`, () => {
      const facts = work ? { work } : {};
      const placeholders = [placeholderPart(0, 'asking'), placeholderPart(1, 'asking')];
      const more = { now: late, placeholders, turn: 'wait' as const };
      expect(nextStep(momentOf(facts, half, more))).to.deep.equal({
        ...{ kind: 'give-up', why: 'patience' },
      });
    });
  }

  for (const fault of ['deleting', 'lost'] as const) {
    it(`gives everything back when a claim is ${fault}`, () => {
      const claims = [claimPart(0, { ...bound, [fault]: true }), claimPart(1, bound)];
      const step = nextStep(momentOf({ work: placing }, claims));
      expect(step).to.deep.include({
        work: { step: 'waiting', leaving: ['pvc-c0', 'pvc-c1'] },
      });
    });
  }
});

for (const [step, kind, last] of [
  ['undoing', 'provision', { kind: 'fail', reason: 'no room' }],
  ['leaving', 'deprovision', { kind: 'forget' }],
  ['waiting', 'provision', { kind: 'wait' }],
] as const) {
  describe(`what is ${step}`, () => {
    const work: Work = { step, leaving: [], ...(step === 'undoing' && { reason: 'no room' }) };

    it('notes volumes before their claims go', () => {
      expect(nextStep(momentOf({ kind, work }, both))).to.deep.equal({
        kind: 'note',
        work: { ...work, leaving: ['pvc-c0', 'pvc-c1'] },
      });
    });

    it('takes away what is noted, and placeholders without a claim', () => {
      const noted = { ...work, leaving: ['pvc-c0', 'pvc-c1'] };
      expect(nextStep(momentOf({ kind, work: noted }, both)).kind).to.equal('take-away');
      const placeholders = [placeholderPart(0, 'asking')];
      expect(nextStep(momentOf({ kind, work }, [], { placeholders })).kind).to.equal('take-away');
    });

    it('ends only when the volumes have been seen gone', () => {
      const noted = { ...work, leaving: ['pvc-c0'] };
      expect(nextStep(momentOf({ kind, work: noted }))).to.deep.equal({
        kind: 'see-gone',
        work: noted,
      });
      expect(nextStep(momentOf({ kind, work }))).to.deep.equal(last);
    });
  });
}

describe('what follows an operation', () => {
  it('is nothing, where all is well', () => {
    expect(nextStep(momentOf({ state: 'succeeded', work: placing }, both)).kind).to.equal('rest');
  });

  it('is to take away what somebody slow has made of an instance that has failed', () => {
    const facts = { state: 'failed' } as const;
    expect(nextStep(momentOf(facts, [claimPart(0)])).kind).to.equal('take-away');
    expect(nextStep(momentOf(facts)).kind).to.equal('rest');
  });

  it('never touches claims after a failed update or deprovisioning', () => {
    for (const kind of ['update', 'deprovision'] as const) {
      expect(nextStep(momentOf({ kind, state: 'failed' }, both)).kind).to.equal('rest');
    }
  });

  it('lets placeholders go that the plan does not keep', () => {
    const placeholders = [placeholderPart(0, 'placed')];
    const step = (placeholder: 'keep' | 'go') =>
      nextStep(momentOf({ state: 'succeeded', wants: { placeholder } }, both, { placeholders }));
    expect(step('go')).to.deep.equal({ kind: 'clear', placeholders });
    expect(step('keep').kind).to.equal('rest');
  });
});

describe('the next step of an update', () => {
  const small = claimPart(0, { ...bound, requested: bytes(4), capacity: bytes(4) });
  const asked = claimPart(1, { ...bound, capacity: bytes(4) });

  it('is to ask for more where too little is asked for', () => {
    expect(nextStep(momentOf({ kind: 'update' }, [small, asked]))).to.deep.equal({
      kind: 'grow',
      claims: [small],
    });
  });

  it('is to wait until all have grown, for as long as the plan says', () => {
    const claims = [claimPart(0, bound), asked];
    expect(nextStep(momentOf({ kind: 'update' }, claims)).kind).to.equal('wait');
    const over = nextStep(momentOf({ kind: 'update' }, claims, { now: late }));
    expect(over.kind).to.equal('give-up-growing');
    expect(nextStep(momentOf({ kind: 'update' }, both, { now: late })).kind).to.equal('settle');
  });

  it('takes back what was asked for and not given, then fails', () => {
    const work: Work = { step: 'undoing', reason: 'no room', leaving: [] };
    const claims = [claimPart(0, bound), asked];
    expect(nextStep(momentOf({ kind: 'update', work }, claims))).to.deep.equal({
      kind: 'shrink',
      claims: [asked],
    });
    expect(
      nextStep(momentOf({ kind: 'update', work }, [claimPart(0, bound), small])),
    ).to.deep.equal({ kind: 'fail', reason: 'no room' });
  });

  it('fails when a claim is not there any more', () => {
    for (const claims of [[claimPart(0, bound)], [claimPart(0, bound), claimPart(1)]]) {
      expect(nextStep(momentOf({ kind: 'update' }, claims)).kind).to.equal('fail');
    }
  });
});

describe('the next step of a deprovisioning', () => {
  it('is to look for users before anything goes', () => {
    expect(nextStep(momentOf({ kind: 'deprovision' }, both)).kind).to.equal('look-for-users');
  });

  it('keeps claims where the plan retains them', () => {
    const kept = momentOf({ kind: 'deprovision', wants: { retainMs: 1 } }, both);
    expect(unusedStep(kept).kind).to.equal('retain');
    expect(unusedStep(momentOf({ kind: 'deprovision' }, both))).to.deep.equal({
      kind: 'note',
      work: { step: 'leaving', leaving: ['pvc-c0', 'pvc-c1'] },
    });
  });

  it('remembers what an operation before it has given up', () => {
    const work: Work = { step: 'undoing', leaving: ['pvc-old'] };
    const moment = momentOf({ kind: 'deprovision', work });
    expect(nextStep(moment)).to.deep.equal({
      kind: 'note',
      work: { step: 'leaving', leaving: ['pvc-old'] },
    });
  });
});
