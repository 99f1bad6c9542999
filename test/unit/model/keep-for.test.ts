import { expect } from 'chai';
import { formatSpan, parseKeepFor } from '../../../src/model/keep-for.ts';

describe('the period of orphans', () => {
  const good: [unknown, number][] = [
    [undefined, 7 * 86_400_000],
    ['forever', Infinity],
    ['1s', 1_000],
    ['10m', 600_000],
    ['48h', 2 * 86_400_000],
    ['7d', 7 * 86_400_000],
  ];
  for (const [text, ms] of good) {
    it(`is read from ${String(text)}`, () => {
      expect(parseKeepFor(text)).to.deep.equal({ ok: true, value: ms });
    });
  }

  for (const text of [
    '',
    '0s',
    '00d',
    '-1d',
    '1w',
    '1.5h',
    '7 d',
    'Forever',
    '12345678d',
    7,
    null,
  ]) {
    it(`is refused with what is allowed: ${JSON.stringify(text)}`, () => {
      const period = parseKeepFor(text);
      expect(period.ok ? '' : period.error)
        .to.include(`orphans.keepFor is ${JSON.stringify(text)}`)
        .and.include('7d is allowed, or forever');
    });
  }

  it('is written in the largest unit that says enough', () => {
    const spans = [400, 59_000, 90_000, 600_000, 7_200_000, 129_600_000, 604_800_000, Infinity];
    expect(spans.map(formatSpan)).to.deep.equal([
      ...['0s', '59s', '90s', '10m', '2h', '36h', '7d', 'forever'],
    ]);
  });
});
