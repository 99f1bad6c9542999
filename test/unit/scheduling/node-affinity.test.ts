import { expect } from 'chai';
import { matchesTerms } from '../../../src/scheduling/node-affinity.ts';

const labels = { zone: 'a', size: '10', word: 'ten', empty: '' };

function matches(key: string, operator: string, values?: string[]): boolean {
  return matchesTerms([{ matchExpressions: [{ key, operator, values }] }], 'n1', labels);
}

describe('matchesTerms', () => {
  for (const [key, operator, values, expected] of [
    ['zone', 'In', ['b', 'a'], true],
    ['zone', 'In', ['b'], false],
    ['zone', 'In', [], false],
    ['none', 'In', [''], false],
    ['empty', 'In', [''], true],
    ['zone', 'NotIn', ['b'], true],
    ['zone', 'NotIn', ['a'], false],
    ['zone', 'NotIn', [], false],
    ['none', 'NotIn', ['a'], true],
    ['zone', 'Exists', undefined, true],
    ['empty', 'Exists', undefined, true],
    ['none', 'Exists', undefined, false],
    ['constructor', 'Exists', undefined, false],
    ['zone', 'DoesNotExist', undefined, false],
    ['none', 'DoesNotExist', undefined, true],
    ['toString', 'DoesNotExist', undefined, true],
    ['size', 'Gt', ['9'], true],
    ['size', 'Gt', ['10'], false],
    ['size', 'Lt', ['11'], true],
    ['size', 'Lt', ['10'], false],
    ['size', 'Lt', ['-1'], false],
    ['size', 'Gt', ['nine'], false],
    ['size', 'Gt', ['9.5'], false],
    ['size', 'Gt', [], false],
    ['size', 'Gt', ['1', '2'], false],
    ['word', 'Gt', ['1'], false],
    ['word', 'Lt', ['1'], false],
    ['empty', 'Lt', ['1'], false],
    ['none', 'Gt', ['1'], false],
    ['zone', 'Like', ['a'], false],
  ] as const) {
    it(`${expected ? 'admits' : 'refuses'} where ${key} ${operator} [${values?.join() ?? ''}]`, () => {
      expect(matches(key, operator, values && [...values])).to.equal(expected);
    });
  }

  const inA = { key: 'zone', operator: 'In', values: ['a'] };
  const inB = { key: 'zone', operator: 'In', values: ['b'] };

  it('needs one term that holds, and in it every requirement', () => {
    expect(matchesTerms([{ matchExpressions: [inB] }, { matchExpressions: [inA] }], 'n1', labels))
      .to.be.true;
    expect(matchesTerms([{ matchExpressions: [inA, inB] }], 'n1', labels)).to.be.false;
  });

  it('takes an empty term, and no term at all, for a no', () => {
    expect(matchesTerms([{}], 'n1', labels)).to.be.false;
    expect(matchesTerms([{ matchExpressions: [], matchFields: [] }], 'n1', labels)).to.be.false;
    expect(matchesTerms([], 'n1', labels)).to.be.false;
  });

  it('compares the name of the node in fields, and knows no other field', () => {
    const name = { key: 'metadata.name', operator: 'In', values: ['n1'] };
    const other = { key: 'metadata.uid', operator: 'NotIn', values: ['n1'] };

    expect(matchesTerms([{ matchFields: [name] }], 'n1', labels)).to.be.true;
    expect(matchesTerms([{ matchFields: [name] }], 'n2', labels)).to.be.false;
    expect(matchesTerms([{ matchFields: [name], matchExpressions: [inB] }], 'n1', labels)).to.be
      .false;
    expect(matchesTerms([{ matchFields: [other] }], 'n1', labels)).to.be.false;
  });
});
