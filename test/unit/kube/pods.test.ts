import { expect } from 'chai';
import { claimStore } from '../../../src/kube/claim-store.ts';
import type { PersistentVolumeClaim, Pod } from '../../../src/kube/objects.ts';
import { podStore } from '../../../src/kube/pods.ts';
import { FakeApi, FakeReflector } from '../../support/fake-api.ts';
import { aPod } from '../../support/facts.ts';

const path = '/api/v1/namespaces/shop/pods/db';
const claimPath = '/api/v1/namespaces/shop/persistentvolumeclaims/data';
const pod = aPod('db', ['data'], { uid: 'p1' });

describe('podStore', () => {
  let api: FakeApi;
  const open = () => podStore(api, new FakeReflector<Pod>(), () => 0);
  beforeEach(() => {
    api = new FakeApi();
    api.put(path, { metadata: { name: 'db', namespace: 'shop', uid: 'p1' } });
  });

  it('deletes a pod, and counts one that is gone as deleted', async () => {
    await open().delete(pod, true);
    await open().delete(pod, true);

    expect(api.objects.has(path)).to.equal(false);
  });

  it('leaves a pod alone that has the name and another uid', async () => {
    await open().delete({ ...pod, uid: 'p0' }, true);

    expect(api.objects.has(path)).to.equal(true);
  });

  it('says that it could not delete where the API server fails', async () => {
    api.before = () => {
      throw new Error('away');
    };

    const failed = await open()
      .delete(pod, true)
      .catch((error: unknown) => String(error));
    expect(failed).to.equal('Error: away');
  });

  it('finds the users of a claim, on its node and on none', async () => {
    const volumes = [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }];
    const others = [{ name: 'v', persistentVolumeClaim: { claimName: 'logs' } }];
    const owned = [
      { controller: true, kind: 'StatefulSet', name: 'db', uid: 's', apiVersion: 'v1' },
    ];
    const asked: unknown[] = [];
    const list = (name: string, rest: object, spec: object): object => ({
      metadata: { name, namespace: 'shop', uid: name, ...rest },
      spec,
    });
    Object.assign(api, {
      get: async (_path: string, { fieldSelector }: { fieldSelector: string }) => {
        asked.push(fieldSelector);
        return fieldSelector === 'spec.nodeName='
          ? { items: [list('waits', { ownerReferences: owned }, { volumes })] }
          : { items: [list('runs', {}, { volumes }), list('other', {}, { volumes: others })] };
      },
    });

    const users = await open().usersOf({ namespace: 'shop', name: 'data', uid: 'c1' }, 'n1');

    expect(asked).to.deep.equal(['spec.nodeName=n1', 'spec.nodeName=']);
    expect(users.map((one) => [one.pod.name, one.replaceable])).to.deep.equal([
      ['runs', false],
      ['waits', true],
    ]);
  });
});

describe('claimStore', () => {
  it('deletes a claim of that uid only', async () => {
    const api = new FakeApi();
    const claims = claimStore(api, new FakeReflector<PersistentVolumeClaim>());
    const ref = { namespace: 'shop', name: 'data', uid: 'c1' };
    api.put(claimPath, { metadata: { ...ref, uid: 'c2' } });
    await claims.delete(ref);
    const isLeft = api.objects.has(claimPath);
    api.put(claimPath, { metadata: ref });
    await claims.delete(ref);

    expect(isLeft).to.equal(true);
    expect(api.objects.has(claimPath)).to.equal(false);
  });
});
