import { expect } from 'chai';
import { bytes, MiB } from '../../../src/model/bytes.ts';
import type { Claim, VolumeClass } from '../../../src/model/claim.ts';
import { err } from '../../../src/model/result.ts';
import {
  adoptable,
  adoptingSpec,
  asClass,
  checkAdoptingClaim,
  checkAdoptingClass,
} from '../../../src/usecases/adopt-orphan.ts';
import { aClaim, aClass } from '../../support/facts.ts';

const orphan = {
  ...{ node: 'n1', pool: 'fast', name: 'pvc-0', volumeUid: 'old', usableBytes: bytes(10) },
};
const standing = {
  ...{ pool: 'fast', name: 'pvc-0', bytes: bytes(12), reason: 'torn', since: 'today' },
};

describe('who may adopt an orphan', () => {
  it('is nobody where it cannot be recognised', () => {
    expect(adoptable('n1', standing)).to.deep.equal(
      err('pvc-0 cannot be adopted, only purged: torn'),
    );
    const whole = { ...standing, volumeUid: 'old', usableBytes: bytes(10) };
    expect(adoptable('n1', whole)).to.deep.equal({ ok: true, value: orphan });
  });

  it('is a claim that is free and asks for no more', () => {
    expect(checkAdoptingClaim(orphan, aClaim('data', 10))).to.include({ ok: true });
  });

  const claims: [Partial<Claim>, string][] = [
    [{ requested: { ok: true, value: bytes(11) } }, 'asks for 11, the orphan has 10'],
    [{ requested: err('no size') }, 'no size'],
    [{ volumeName: 'pvc-9' }, 'has its volume already: pvc-9'],
    [{ deleting: true }, 'is being deleted'],
    [{ lost: true }, 'has lost its volume'],
    [{ hasSelector: true }, 'has a selector'],
    [{ accessModes: ['ReadWriteMany'] }, 'accessMode ReadWriteMany'],
  ];
  for (const [change, why] of claims) {
    it(`is no claim that ${why}`, () => {
      const verdict = checkAdoptingClaim(orphan, aClaim('data', 10, change));
      expect(verdict.ok ? '' : verdict.error)
        .to.include(why)
        .and.include('claim shop/data');
    });
  }

  const classes: [string, VolumeClass | undefined, string][] = [
    ['gone', undefined, 'class "gone" does not exist'],
    ['cloud', aClass('cloud', { provisioner: 'cloud' }), 'is not one of Berth'],
    ['bad', aClass('bad', { parameters: err('pool is missing') }), 'pool is missing'],
    ['slow', aClass('slow'), 'is of pool slow, the orphan is in pool fast'],
  ];
  for (const [name, volumeClass, why] of classes) {
    it(`is no claim whose class ${why}`, () => {
      const verdict = checkAdoptingClass(orphan, name, volumeClass);
      expect(verdict.ok ? '' : verdict.error).to.include(why);
    });
  }

  it('loses the header of an encrypted volume, and nothing of another', () => {
    const encryption = { type: 'luks2', keyFile: 'a' } as const;
    const large = { ...orphan, usableBytes: bytes(20 * MiB) };

    expect(asClass(large, { encryption }).usableBytes).to.equal(4 * MiB);
    expect(asClass(large, {})).to.deep.equal(large);
  });

  it('gets a LocalVolume of the size of the orphan', () => {
    const parameters = checkAdoptingClass(orphan, 'fast', aClass('fast'));
    const claim = aClaim('data', 8, { volumeMode: 'Block' });

    expect(parameters.ok && adoptingSpec(orphan, claim, parameters.value)).to.deep.equal({
      ...{ node: 'n1', pool: 'fast', bytes: 10, volumeMode: 'Block', fsType: 'ext4' },
      ...{ claimRef: claim.ref, erase: 'discard', onNodeLost: 'keep', onDiskFailure: 'keep' },
      adopts: { name: 'pvc-0', volumeUid: 'old' },
    });
  });
});
