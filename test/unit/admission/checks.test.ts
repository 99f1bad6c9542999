import { expect } from 'chai';
import { checkClaim, type ClaimRequest } from '../../../src/admission/check-claim.ts';
import { checkClass, type ClassFacts } from '../../../src/admission/check-class.ts';
import {
  checkPool,
  checkPoolChange,
  type PoolFacts,
  type ReadPool,
} from '../../../src/admission/check-pool.ts';
import { parsePoolSpec } from '../../../src/backends/index.ts';
import { ok, type Result } from '../../../src/model/result.ts';

const fine = { ok: true, value: undefined };

function messageOf(verdict: Result<undefined, string>): string {
  return verdict.ok ? 'allowed' : verdict.error;
}

describe('checkClass', () => {
  const good: ClassFacts = {
    name: 'fast',
    provisioner: 'local.berth.dev',
    volumeBindingMode: 'WaitForFirstConsumer',
    parameters: { pool: 'fast' },
  };

  it('lets good classes and those of others pass', () => {
    expect(checkClass(good)).to.deep.equal(fine);
    expect(checkClass({ ...good, provisioner: 'x', parameters: {} })).to.deep.equal(fine);
  });

  it('names every mistake with its value and what is allowed', () => {
    const parameters = { pool: 'NOT', placement: 'best', color: 'red' };

    const message = messageOf(checkClass({ ...good, volumeBindingMode: 'Immediate', parameters }));

    expect(message).to.match(/^StorageClass fast: /);
    for (const part of [
      'placement is "best": allowed are spread, pack',
      'pool is "NOT"',
      'color is not a parameter',
      'volumeBindingMode is "Immediate": only WaitForFirstConsumer is allowed',
    ]) {
      expect(message).to.contain(part);
    }
  });
});

describe('checkClaim', () => {
  const good: ClaimRequest = {
    name: 'data',
    accessModes: ['ReadWriteOnce'],
    request: '1Gi',
    hasSelector: false,
    hasDataSource: false,
  };

  it('lets a claim pass that a local volume can serve', () => {
    expect(checkClaim(good)).to.deep.equal(fine);
    expect(checkClaim({ ...good, accessModes: ['ReadWriteOncePod'] })).to.deep.equal(fine);
  });

  for (const [change, part] of [
    [{ accessModes: ['ReadWriteOnce', 'ReadWriteMany'] }, 'accessModes is [ReadWriteOnce, Read'],
    [{ accessModes: [] }, 'accessModes is []'],
    [{ request: '0' }, 'resources.requests.storage is "0": a size above 0'],
    [{ request: '' }, 'resources.requests.storage: "" is not a size'],
    [{ hasSelector: true }, 'selector is set: it must be left out'],
    [{ hasDataSource: true }, 'dataSource is set: it must be left out'],
  ] as const) {
    it(`refuses ${JSON.stringify(change)}`, () => {
      expect(messageOf(checkClaim({ ...good, ...change }))).to.contain(part);
    });
  }
});

describe('checkPool', () => {
  const loop = { directory: '/var/lib/berth', size: '10Gi' };
  const spec = { backend: 'loop', loop };
  const good: PoolFacts = { name: 'fast', spec };
  const having = (change: object): PoolFacts => ({ name: 'fast', spec: { ...spec, ...change } });

  it('lets good pools pass', () => {
    expect(checkPool(good, parsePoolSpec)).to.deep.equal(fine);
    expect(checkPool(having({ orphans: { keepFor: 'forever' } }), parsePoolSpec)).to.deep.equal(
      fine,
    );
  });

  it('refuses a name that no label could be built from', () => {
    const text = messageOf(checkPool({ ...good, name: 'Fast' }, parsePoolSpec));
    expect(text).to.contain('StoragePool Fast').and.contain('metadata.name is "Fast"');
    expect(messageOf(checkPool({ ...good, name: 'a'.repeat(41) }, parsePoolSpec))).to.contain(
      'up to 40 small letters',
    );
  });

  it('refuses what the agents could not read, in the words they would use', () => {
    const text = messageOf(checkPool(having({ loop: { ...loop, size: 'big' } }), parsePoolSpec));
    expect(text).to.contain('StoragePool fast: loop.size is "big"');
  });

  it('lets the size change, but not what volumes are found by', () => {
    const change = (to: PoolFacts) => checkPoolChange(good, to, parsePoolSpec);

    expect(change(having({ loop: { ...loop, size: '20Gi' } }))).to.deep.equal(fine);
    expect(messageOf(change(having({ loop: { ...loop, directory: '/mnt' } })))).to.contain(
      'its source is "directory /mnt" and was "directory /var/lib/berth": it cannot change',
    );
    expect(messageOf(change({ ...good, name: 'X' }))).to.contain('metadata.name');
  });

  it('refuses another backend', () => {
    const before = { backend: 'loop', source: 'directory /a' };
    const read = ({ backend = '' }: { backend?: string }) => ok({ ...before, backend });
    const other: PoolFacts = { name: 'fast', spec: { backend: 'lvm' } };

    expect(messageOf(checkPoolChange(good, other, read as ReadPool))).to.contain(
      'backend is "lvm" and was "loop"',
    );
  });

  it('lets a pool that nobody could read be mended in any way', () => {
    const wrong: PoolFacts = { name: 'fast', spec: { backend: 'tape' } };

    expect(checkPoolChange(wrong, good, parsePoolSpec)).to.deep.equal(fine);
  });
});
