import { expect } from 'chai';
import fc from 'fast-check';
import { formatPoolReport, parsePoolReport } from '../../../src/model/pool.ts';
import { aReport } from '../../support/arbitraries.ts';

const good = { total: 100, free: 60, largest: 50, generation: 7, healthy: true };

function mistake(text: string): string {
  const report = parsePoolReport(text);
  return report.ok ? 'no mistake' : report.error;
}

const changed = (change: object): string => mistake(JSON.stringify({ ...good, ...change }));

describe('parsePoolReport', () => {
  it('reads what an agent writes', () => {
    const report = parsePoolReport(
      '{"total":100,"free":60,"largest":50,"generation":7,"healthy":true}',
    );

    expect(report).to.deep.equal({ ok: true, value: good });
  });

  it('reads the pieces of a pool whose volumes cannot be joined from several', () => {
    const text = JSON.stringify({ ...good, pieces: [20, 40], whole: true });
    const report = parsePoolReport(text);

    expect(report.ok && report.value.pieces).to.deep.equal({ sizes: [40, 20], whole: true });
    expect(report.ok && formatPoolReport(report.value)).to.include('"pieces":[40,20],"whole":true');
    expect(changed({ pieces: [1, -1] }))
      .to.contain('pieces is [1,-1]')
      .and.contain('a list of');
    expect(changed({ pieces: Array(65).fill(1) })).to.contain('at most 64');
    expect(changed({ pieces: [1], whole: 'yes' })).to.contain('whole is "yes"');
  });

  it('takes over nothing that it does not know', () => {
    const report = parsePoolReport(JSON.stringify({ ...good, later: 1 }));

    expect(report).to.deep.equal({ ok: true, value: good });
  });

  for (const field of ['total', 'free', 'largest', 'generation']) {
    for (const [what, value, shown] of [
      ['a missing', undefined, 'missing'],
      ['a negative', -1, '-1'],
      ['a fractional', 1.5, '1.5'],
      ['a huge', 1e300, '1e+300'],
      ['a text for', '60', '"60"'],
      ['a null', null, 'null'],
    ] as const) {
      it(`refuses ${what} ${field}`, () => {
        expect(changed({ [field]: value })).to.equal(
          `${field} is ${shown}: a whole number from 0 to 2^53 - 1 is allowed`,
        );
      });
    }
  }

  for (const healthy of [undefined, null, 'true', 1]) {
    it(`refuses healthy ${JSON.stringify(healthy) ?? 'missing'}`, () => {
      expect(changed({ healthy })).to.contain('healthy is ').and.contain('true or false');
    });
  }

  it('refuses more free than there is', () => {
    expect(changed({ free: 101 })).to.equal('free 101 and largest 50 must not exceed total 100');
    expect(changed({ largest: 101 })).to.contain('largest 101');
  });

  for (const text of ['', 'free', '{', 'NaN', '{"total":NaN}', 'undefined', '{"total":1e}']) {
    it(`says that ${JSON.stringify(text)} is not JSON`, () => {
      expect(mistake(text)).to.equal(`${JSON.stringify(text)} is not JSON`);
    });
  }

  for (const text of ['[]', 'null', '5', '"text"', 'true']) {
    it(`says that ${text} is not an object`, () => {
      expect(mistake(text)).to.equal(`${text} is not a JSON object`);
    });
  }

  for (const [what, text] of [
    ['a megabyte of letters', 'x'.repeat(2 ** 20)],
    ['a megabyte of JSON text', `"${'x'.repeat(2 ** 20)}"`],
    ['lists in lists in lists', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
    ['depth in a field', `{"total":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
  ] as const) {
    it(`answers ${what} with a short text`, () => {
      expect(mistake(text).length).to.be.within(1, 200);
    });
  }

  it('reads back whatever was written', () => {
    fc.assert(
      fc.property(aReport, (report) => {
        expect(parsePoolReport(formatPoolReport(report))).to.deep.equal({
          ok: true,
          value: report,
        });
      }),
    );
  });

  it('never throws, and never takes anything for a report that is not whole', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        expect(mistake(text)).to.be.a('string').and.not.equal('no mistake');
      }),
    );
  });
});

describe('formatPoolReport', () => {
  it('writes equal reports as equal texts', () => {
    const turned = { healthy: true, generation: 7, largest: 50, free: 60, total: 100 };

    expect(parsePoolReport(JSON.stringify(turned))).to.deep.equal({ ok: true, value: good });
    expect(rewritten(JSON.stringify(turned))).to.equal(rewritten(JSON.stringify(good)));
  });
});

function rewritten(text: string): string {
  const report = parsePoolReport(text);
  return report.ok ? formatPoolReport(report.value) : report.error;
}
