import { expect } from 'chai';
import { parseClassParameters } from '../../../src/model/storage-class.ts';

function mistakes(given: Record<string, string>): string[] {
  const parameters = parseClassParameters(given);
  return parameters.ok ? [] : parameters.error.split('; ');
}

describe('parseClassParameters', () => {
  it('needs only the pool', () => {
    expect(parseClassParameters({ pool: 'fast' })).to.deep.equal({
      ok: true,
      value: {
        pool: 'fast',
        placement: 'spread',
        fsType: 'ext4',
        mkfsOptions: undefined,
        erase: 'discard',
        onNodeLost: { kind: 'keep' },
      },
    });
  });

  it('takes every parameter', () => {
    const parameters = parseClassParameters({
      pool: 'slow-1',
      placement: 'pack',
      fsType: 'xfs',
      mkfsOptions: '-K -i size=512',
      erase: 'zero',
      onNodeLost: 'release-after=10m',
    });

    expect(parameters).to.deep.equal({
      ok: true,
      value: {
        pool: 'slow-1',
        placement: 'pack',
        fsType: 'xfs',
        mkfsOptions: '-K -i size=512',
        erase: 'zero',
        onNodeLost: { kind: 'release', releaseAfterMs: 600_000 },
      },
    });
  });

  it('tells all mistakes at once, each with its value and what is allowed', () => {
    const found = mistakes({
      pool: 'Not A Pool',
      placement: 'random',
      fsType: 'ntfs',
      mkfsOptions: '$(reboot)',
      erase: 'shred',
      onNodeLost: 'panic',
      size: '1Gi',
    });

    expect(found).to.have.lengthOf(7);
    for (const name of ['pool', 'placement', 'fsType', 'mkfsOptions', 'erase', 'onNodeLost']) {
      expect(found.filter((text) => text.startsWith(`${name} is "`))).to.have.lengthOf(1);
    }
    expect(found.at(-1)).to.equal(
      'size is not a parameter: allowed are pool, placement, fsType, mkfsOptions, erase, onNodeLost',
    );
  });

  it('leaves parameters alone that provisioners of CSI reserve', () => {
    expect(mistakes({ pool: 'fast', 'csi.storage.k8s.io/fstype': 'ext4' })).to.deep.equal([]);
  });

  for (const pool of ['', 'Fast', '-a', 'a-', 'a.b', 'a/b', 'a'.repeat(41), 'fast\n']) {
    it(`does not take ${JSON.stringify(pool)} for the name of a pool`, () => {
      expect(mistakes({ pool })).to.deep.equal([
        `pool is "${pool}": the name of a StoragePool is required`,
      ]);
    });
  }

  for (const [text, ms] of [
    ['release-after=1s', 1_000],
    ['release-after=2h', 7_200_000],
    ['release-after=3d', 259_200_000],
  ] as const) {
    it(`reads onNodeLost ${text}`, () => {
      const parameters = parseClassParameters({ pool: 'fast', onNodeLost: text });

      expect(parameters.ok && parameters.value.onNodeLost).to.deep.equal({
        kind: 'release',
        releaseAfterMs: ms,
      });
    });
  }

  for (const onNodeLost of [
    '',
    'Keep',
    'release-after',
    'release-after=',
    'release-after=0s',
    'release-after=-1s',
    'release-after=1',
    'release-after=1.5h',
    'release-after=1w',
    'release-after=9999999s',
  ]) {
    it(`does not read onNodeLost "${onNodeLost}"`, () => {
      expect(mistakes({ pool: 'fast', onNodeLost })).to.deep.equal([
        `onNodeLost is "${onNodeLost}": allowed are keep and release-after=<duration>, such as 10m`,
      ]);
    });
  }
});
