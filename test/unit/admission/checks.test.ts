import { expect } from 'chai';
import { checkClaim, type ClaimRequest } from '../../../src/admission/check-claim.ts';
import { checkClass, type ClassFacts } from '../../../src/admission/check-class.ts';
import { checkPool, checkPoolChange, type PoolFacts } from '../../../src/admission/check-pool.ts';
import type { Result } from '../../../src/model/result.ts';

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
  const loop = { directory: '/var/lib/berth', size: '10Gi', allocation: '' };
  const good: PoolFacts = { name: 'fast', backend: 'loop', optionsFor: ['loop'], loop };

  it('lets good pools pass', () => {
    expect(checkPool(good)).to.deep.equal(fine);
    expect(checkPool({ ...good, loop: { ...loop, allocation: 'sparse' } })).to.deep.equal(fine);
    expect(checkPool({ ...good, keepOrphansFor: 'forever' })).to.deep.equal(fine);
  });

  const bad: readonly [string, PoolFacts, string][] = [
    ['a name in capitals', { ...good, name: 'Fast' }, 'metadata.name is "Fast"'],
    ['a long name', { ...good, name: 'a'.repeat(41) }, 'up to 40 small letters'],
    ['an unknown backend', { ...good, backend: 'zfs' }, 'backend is "zfs": allowed are loop'],
    ['options of another', { ...good, optionsFor: ['loop', 'lvm'] }, 'lvm is set: only options'],
    ['no options', { name: 'a', backend: 'loop', optionsFor: [] }, 'loop is missing'],
    ['no size', { ...good, loop: { ...loop, size: '' } }, 'loop.size: "" is not a size'],
    ['size 0', { ...good, loop: { ...loop, size: '0' } }, 'loop.size is "0": a size above 0'],
    ['a period', { ...good, keepOrphansFor: 'soon' }, 'orphans.keepFor is "soon": a duration'],
    ['allocation', { ...good, loop: { ...loop, allocation: 'thin' } }, 'loop.allocation is "thin"'],
    ...['', '/', '//', 'var/x', '/var/../etc', '/./', '/var/..'].map(
      (directory): [string, PoolFacts, string] => [
        `directory "${directory}"`,
        { ...good, loop: { ...loop, directory } },
        `loop.directory is "${directory}"`,
      ],
    ),
  ];
  for (const [what, pool, part] of bad) {
    it(`refuses ${what}`, () => {
      expect(messageOf(checkPool(pool))).to.contain(part);
    });
  }

  it('lets size and allocation change, but not what volumes are found by', () => {
    const larger = { ...good, loop: { ...loop, size: '20Gi', allocation: 'sparse' } };
    const moved = { ...good, loop: { ...loop, directory: '/mnt' } };
    const other: PoolFacts = { name: 'fast', backend: 'lvm', optionsFor: ['lvm'] };

    expect(checkPoolChange(good, larger)).to.deep.equal(fine);
    expect(messageOf(checkPoolChange(good, moved))).to.contain(
      'loop.directory is "/mnt" and was "/var/lib/berth": it cannot change',
    );
    expect(messageOf(checkPoolChange(good, other))).to.contain('backend is "lvm" and was "loop"');
    expect(messageOf(checkPoolChange(good, { ...good, name: 'X' }))).to.contain('metadata.name');
  });
});
