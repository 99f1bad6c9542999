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
        erase: 'discard',
        onNodeLost: 'keep',
        onDiskFailure: 'keep',
      },
    });
  });

  it('takes every parameter', () => {
    const parameters = parseClassParameters({
      pool: 'slow-1',
      placement: 'pack',
      fsType: 'xfs',
      erase: 'zero',
      onNodeLost: 'release-after=10m',
      onDiskFailure: 'release-after=1h',
    });

    expect(parameters).to.deep.equal({
      ok: true,
      value: {
        pool: 'slow-1',
        placement: 'pack',
        fsType: 'xfs',
        erase: 'zero',
        onNodeLost: 'release-after=10m',
        onDiskFailure: 'release-after=1h',
      },
    });
  });

  it('takes limits for reading and writing, and tells mistakes in them among the others', () => {
    expect(
      parseClassParameters({ pool: 'fast', writeBytesPerSecond: '1Mi' }),
    ).to.have.nested.property('value.ioLimits.writeBytesPerSecond', 1024 * 1024);
    expect(mistakes({ pool: 'fast', readIops: 'many', erase: 'shred' })).to.have.lengthOf(2);
  });

  it('tells all mistakes at once, each with its value and what is allowed', () => {
    const found = mistakes({
      pool: 'Not A Pool',
      placement: 'random',
      fsType: 'ntfs',
      erase: 'shred',
      onNodeLost: 'panic',
      onDiskFailure: 'panic',
      size: '1Gi',
    });

    expect(found).to.have.lengthOf(7);
    for (const name of ['pool', 'placement', 'fsType', 'erase', 'onNodeLost', 'onDiskFailure']) {
      expect(found.filter((text) => text.startsWith(`${name} is "`))).to.have.lengthOf(1);
    }
    expect(found.at(-1)).to.equal(
      'size is not a parameter: allowed are pool, placement, fsType, mkfsOptions, erase, onNodeLost, onDiskFailure, readIops, writeIops, readBytesPerSecond, writeBytesPerSecond, encryption, encryptionKeySecret, encryptionKeyFile',
    );
  });

  it('takes options for mkfs, in the words of its filesystem', () => {
    const given = { pool: 'fast', fsType: 'xfs', mkfsOptions: '-K  -m reflink=0' };
    expect(parseClassParameters(given)).to.have.deep.nested.property('value.mkfsOptions', [
      ...['-K', '-m', 'reflink=0'],
    ]);
    expect(mistakes({ ...given, mkfsOptions: '-m 0' })).to.have.lengthOf(1);
    expect(mistakes({ ...given, fsType: 'ext4' })[0]).to.include('mkfsOptions: "-K"');
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
});
