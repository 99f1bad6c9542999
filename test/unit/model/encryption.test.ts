import { expect } from 'chai';
import { bytes, GiB, MiB } from '../../../src/model/bytes.ts';
import {
  deviceBytesFor,
  parseEncryption,
  usableBytesOf,
  whyNoKey,
} from '../../../src/model/encryption.ts';
import { parseClassParameters } from '../../../src/model/storage-class.ts';

describe('the encryption of a class', () => {
  const type = 'luks2';

  it('is none where nothing asks for it', () => {
    const mistakes: string[] = [];

    expect(parseEncryption({ pool: 'fast' }, mistakes)).to.deep.equal({});
    expect(mistakes).to.deep.equal([]);
  });

  for (const [parameter, field] of [
    ['encryptionKeySecret', 'keySecret'],
    ['encryptionKeyFile', 'keyFile'],
  ] as const) {
    it(`names its key by ${parameter}`, () => {
      const parameters = parseClassParameters({
        ...{ pool: 'fast', encryption: type },
        [parameter]: 'berth-volume-key',
      });

      expect(parameters).to.have.property('ok', true);
      expect(parameters).to.have.deep.nested.property('value.encryption', {
        ...{ type, [field]: 'berth-volume-key' },
      });
    });
  }

  const wrong: [Record<string, string>, RegExp][] = [
    [{ encryption: type }, /exactly one of encryptionKeySecret, encryptionKeyFile/],
    [{ encryption: type, encryptionKeySecret: 'a', encryptionKeyFile: 'b' }, /exactly one/],
    [{ encryptionKeyFile: 'b' }, /encryption is missing/],
    [{ encryption: 'luks1', encryptionKeyFile: 'b' }, /"luks1": luks2 is allowed/],
    [{ encryption: type, encryptionKeySecret: 'shop/key' }, /"shop\/key".*without the namespace/],
    [{ encryption: type, encryptionKeySecret: '' }, /encryptionKeySecret is ""/],
    [{ encryption: type, encryptionKeyFile: '../shadow' }, /"..\/shadow"/],
    [{ encryption: type, encryptionKeyFile: '.hidden' }, /".hidden"/],
    [{ encryption: type, encryptionKeyFile: 'a'.repeat(64) }, /at most 63/],
  ];
  for (const [given, why] of wrong) {
    it(`is refused as ${JSON.stringify(given)}`, () => {
      const parameters = parseClassParameters({ pool: 'fast', ...given });

      expect(parameters.ok ? '' : parameters.error).to.match(why);
    });
  }

  it('takes 16 MiB of the device for the header, and nothing where there is none', () => {
    const encryption = { type, keyFile: 'a' } as const;
    const device = deviceBytesFor({ bytes: bytes(GiB), encryption });

    expect(device).to.equal(GiB + 16 * MiB);
    expect(usableBytesOf({ bytes: device, encryption })).to.equal(GiB);
    expect(deviceBytesFor({ bytes: bytes(GiB) })).to.equal(GiB);
    expect(usableBytesOf({ bytes: bytes(GiB) })).to.equal(GiB);
  });

  it('takes keys from 32 to 4096 bytes', () => {
    expect([31, 32, 4096, 4097].map((length) => whyNoKey(length) === undefined)).to.deep.equal([
      ...[false, true, true, false],
    ]);
    expect(whyNoKey(8)).to.contain('8 bytes').and.contain('32');
  });
});
