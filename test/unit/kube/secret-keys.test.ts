import { expect } from 'chai';
import { ApiError, type KubeApi } from '../../../src/kube/api.ts';
import { readSecretKey } from '../../../src/kube/secret-keys.ts';
import { rejection } from '../../support/rejection.ts';

describe('a key in a Secret', () => {
  const at = { namespace: 'berth-system', name: 'berth-volume-key' };
  const answering = (answer: () => Promise<unknown>): Pick<KubeApi, 'get'> =>
    ({ get: answer }) as Pick<KubeApi, 'get'>;
  const failing = (status: number) =>
    answering(() => Promise.reject(new ApiError('GET', '/secrets', status, {})));

  it('is read as it is, byte for byte', async () => {
    const key = Buffer.from([...Array(64).keys()].map((n) => 255 - n));
    const data = { key: key.toString('base64') };

    const found = await readSecretKey(
      answering(async () => ({ data })),
      at,
    );
    expect(Buffer.from(found).equals(key)).to.equal(true);
  });

  const short = Buffer.from('hunter2').toString('base64');
  const wrong: [string, Pick<KubeApi, 'get'>, RegExp][] = [
    ['does not exist', failing(404), /does not exist/],
    ['must not be read', failing(403), /must not be read: name it in the Role/],
    ['has no such entry', answering(async () => ({ data: { password: short } })), /no entry "key"/],
    ['has no entries', answering(async () => ({})), /no entry "key"/],
    ['is too short', answering(async () => ({ data: { key: short } })), /7 bytes: from 32/],
  ];
  for (const [why, api, text] of wrong) {
    it(`is refused where it ${why}, and nobody is told what it is`, async () => {
      const error = await rejection(readSecretKey(api, at));

      expect(error.name).to.equal('PermanentError');
      expect(error.message).to.match(text).and.contain('berth-system/berth-volume-key');
      expect(error.message).to.not.contain('hunter2').and.not.contain(short);
    });
  }

  it('is tried again where the API server has failed', async () => {
    expect((await rejection(readSecretKey(failing(500), at))).name).to.equal('ApiError');
  });
});
