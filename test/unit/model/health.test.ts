import { expect } from 'chai';
import fc from 'fast-check';
import {
  healthOf,
  judgeLook,
  resumeTrouble,
  troubleReasons,
  type Finding,
  type Trouble,
  type TroubleReason,
} from '../../../src/model/health.ts';

const quietMs = 30 * 60_000;
const second = 1_000;
const lasting: readonly TroubleReason[] = [
  ...(['FilesystemErrors', 'FilesystemReadOnly', 'FilesystemShutDown'] as const),
  ...(['SmartFailed', 'SmartWarning', 'SmartUnreadable'] as const),
  ...(['LvmFailed', 'LvmDegraded', 'ThinPoolFull'] as const),
];

const suspectOnly: readonly TroubleReason[] = [
  ...(['SmartWarning', 'SmartUnreadable', 'LvmDegraded', 'ThinPoolFull'] as const),
];

const bad = (reason: TroubleReason, message = 'it is bad'): Finding => ({
  ...{ device: 'sdb', reason, message },
});
const well = (reason: TroubleReason): Finding => ({ device: 'sdb', reason });

/** What is known after looks 10 s apart. */
function after(...looks: readonly (readonly Finding[])[]): readonly Trouble[] {
  return looks.reduce<readonly Trouble[]>(
    (known, findings, n) => judgeLook(known, findings, { now: n * 10 * second, quietMs }),
    [],
  );
}

const stateAfter = (...looks: readonly (readonly Finding[])[]) =>
  healthOf(after(...looks))?.state ?? 'well';

describe('the health of a device', () => {
  it('is failing at once by an error of a filesystem, a write that failed, or SMART', () => {
    for (const reason of [
      ...(['FilesystemErrors', 'FilesystemReadOnly', 'FilesystemShutDown'] as const),
      ...(['WriteErrors', 'SmartFailed', 'LvmFailed'] as const),
    ]) {
      expect(stateAfter([bad(reason)]), reason).to.equal('failing');
    }
  });

  it('is suspect by one read that failed, and failing by three', () => {
    const look = [bad('ReadErrors'), bad('ReadErrors', 'another sector')];
    expect(stateAfter(look)).to.equal('suspect');
    expect(stateAfter(look, [], look)).to.equal('suspect');
    expect(stateAfter(look, [], look, [], look)).to.equal('failing');
  });

  it('is never failing by what leaves its data where it is', () => {
    const never = ['CommandErrors', 'SmartWarning', 'SmartUnreadable', 'Slow'] as const;
    for (const reason of [...never, 'LvmDegraded', 'ThinPoolFull'] as const) {
      const looks = Array.from({ length: 1000 }, () => [bad(reason)]);
      expect(stateAfter(...looks), reason).to.equal('suspect');
    }
    expect(stateAfter([bad('CommandErrors')], [bad('CommandErrors')])).to.equal('well');
  });

  it('needs a disk to be slow for a while', () => {
    const slow = Array.from({ length: 6 }, () => [bad('Slow')]);
    expect(stateAfter(...slow.slice(1))).to.equal('well');
    expect(stateAfter(...slow)).to.equal('suspect');
  });

  it('is well again when what lasts was looked for twice and not found', () => {
    const error = [bad('FilesystemErrors')];
    const repaired = [well('FilesystemErrors')];
    expect(stateAfter(error, repaired)).to.equal('failing');
    expect(stateAfter(error, repaired, error, repaired)).to.equal('failing');
    expect(stateAfter(error, repaired, repaired)).to.equal('well');
  });

  it('stays as it is while nobody can look', () => {
    const looks = Array.from({ length: 10_000 }, () => []);
    expect(stateAfter([bad('FilesystemErrors')], ...looks)).to.equal('failing');
  });

  it('forgets an error of reading or writing when none came for a time', () => {
    const known = after([bad('WriteErrors')]);
    const judge = (now: number) => judgeLook(known, [], { now, quietMs });
    expect(healthOf(judge(quietMs - 1))?.state).to.equal('failing');
    expect(healthOf(judge(quietMs))).to.equal(undefined);
  });

  it('keeps its first words and its date while it is as bad as it was', () => {
    const known = after(
      [bad('FilesystemErrors', '1 error')],
      [bad('FilesystemErrors', '2 errors')],
    );
    expect(healthOf(known)).to.deep.equal({
      ...{ state: 'failing', reason: 'FilesystemErrors', message: '1 error' },
      since: '1970-01-01T00:00:00.000Z',
    });
  });

  it('is that of the worst of several troubles', () => {
    const known = after([bad('SmartWarning')], [bad('WriteErrors')]);
    expect(healthOf(known)).to.include({ state: 'failing', reason: 'WriteErrors' });
  });

  it('is taken over by who starts anew, with its date', () => {
    for (const reason of troubleReasons) {
      const looks = Array.from({ length: 40 }, () => [bad(reason)]);
      const health = healthOf(after(...looks));
      expect(health && healthOf([resumeTrouble(health, 99)]), reason).to.deep.equal(health);
    }
  });

  const look = fc
    .subarray([...troubleReasons])
    .chain((reasons) =>
      fc.tuple(
        fc.constant(reasons),
        fc.array(fc.boolean(), { minLength: reasons.length, maxLength: reasons.length }),
      ),
    );
  const asFindings = ([reasons, ills]: readonly [TroubleReason[], boolean[]]): Finding[] =>
    reasons.map((reason, n) => (ills[n] === true ? bad(reason) : well(reason)));

  it('never changes twice without a cause in between, whatever is seen', () => {
    fc.assert(
      fc.property(
        fc.array(look, { maxLength: 60 }),
        fc.integer({ min: 1, max: 90 }),
        (looks, gap) => {
          let known: readonly Trouble[] = [];
          let isFailing = false;
          const badSince = new Map<TroubleReason, number>();
          looks.forEach((seen, n) => {
            const now = n * gap * 60_000;
            const findings = asFindings(seen);
            known = judgeLook(known, findings, { now, quietMs });
            for (const { reason, message } of findings) {
              if (message !== undefined) {
                badSince.set(reason, now);
              }
            }
            const next = healthOf(known)?.state === 'failing';
            if (next && !isFailing) {
              // It becomes failing only at a look that found something.
              expect(findings.some(({ message }) => message !== undefined)).to.equal(true);
            }
            if (!next && isFailing) {
              // It becomes well only without anything that lasts or is fresh.
              for (const [reason, at] of badSince) {
                const isFresh =
                  at === now && (lasting.includes(reason) || reason === 'WriteErrors');
                expect(isFresh && !suspectOnly.includes(reason)).to.equal(false);
              }
            }
            isFailing = next;
          });
        },
      ),
    );
  });

  it('is failing for as long as a fault lasts, whatever else is seen', () => {
    fc.assert(
      fc.property(fc.array(look, { minLength: 1, maxLength: 40 }), (looks) => {
        let known: readonly Trouble[] = [];
        looks.forEach((seen, n) => {
          const others = asFindings(seen).filter(({ reason }) => reason !== 'FilesystemErrors');
          const findings = [...others, bad('FilesystemErrors')];
          known = judgeLook(known, findings, { now: n * 3_600_000, quietMs });
          expect(healthOf(known)?.state).to.equal('failing');
        });
      }),
    );
  });
});
