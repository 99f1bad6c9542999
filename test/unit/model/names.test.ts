import { expect } from 'chai';
import fc from 'fast-check';
import { labelValue } from '../../../src/model/label-value.ts';
import {
  capacityAnnotation,
  maxPoolNameLength,
  poolLabel,
  poolNamePattern,
  poolOfCapacityAnnotation,
  poolOfLabel,
  volumeName,
} from '../../../src/model/names.ts';

/** Kubernetes' validation: a label value, and the part of a qualified name behind the slash. */
const legal = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

const part = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?$/);
const nodeName = fc
  .array(part, { minLength: 1, maxLength: 12 })
  .map((parts) => parts.join('.'))
  .filter((name) => name.length <= 253);

describe('labelValue', () => {
  it('leaves a name that fits as it is', () => {
    expect(labelValue('node-1.example.com')).to.equal('node-1.example.com');
    expect(labelValue('a'.repeat(63))).to.equal('a'.repeat(63));
  });

  it('makes a legal value of every node name', () => {
    fc.assert(
      fc.property(nodeName, (name) => {
        expect(labelValue(name)).to.match(legal);
      }),
    );
  });

  it('tells long names apart that differ only at their ends', () => {
    const names = Array.from({ length: 2_000 }, (_, i) => `${'long.'.repeat(40)}${i}`);

    expect(new Set(names.map(labelValue)).size).to.equal(names.length);
  });
});

describe('names', () => {
  it('finds the pool in the keys that it builds', () => {
    expect(poolOfCapacityAnnotation(capacityAnnotation('fast'))).to.equal('fast');
    expect(poolOfLabel(poolLabel('fast'))).to.equal('fast');
    expect(poolOfCapacityAnnotation('other.dev/fast')).to.equal(undefined);
    expect(poolOfLabel('capacity.berth.dev/fast')).to.equal(undefined);
  });

  it('builds legal keys for the longest pool name', () => {
    const pool = 'p'.repeat(maxPoolNameLength);

    expect(pool).to.match(poolNamePattern);
    expect(`${pool}p`).not.to.match(poolNamePattern);
    expect(capacityAnnotation(pool).split('/')[1]).to.match(legal);
  });

  it('names a volume after its claim, as provisioners do', () => {
    expect(volumeName('0a1b')).to.equal('pvc-0a1b');
  });
});
