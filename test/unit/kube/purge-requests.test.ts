import { expect } from 'chai';
import type { PurgeEntry, StorageNodeObject } from '../../../src/kube/custom-objects.ts';
import { ApiError, type KubeApi } from '../../../src/kube/api.ts';
import { changePurge, liveOwners } from '../../../src/kube/purge-requests.ts';

const entry = (name: string): PurgeEntry => ({
  ...{ pool: 'fast', name, erase: 'zero', reason: 'test', requestedAt: 'today' },
});

describe('requests to purge', () => {
  let node: StorageNodeObject | undefined;
  let conflicts: number;
  const api = {
    get: async (path: string) => {
      if (node === undefined) {
        throw new ApiError('GET', path, 404, {});
      }
      return structuredClone(node);
    },
    patch: async (path: string, _: string, patch: StorageNodeObject) => {
      if (conflicts > 0 && node) {
        conflicts -= 1;
        node.spec?.purge?.push(entry('meanwhile'));
        throw new ApiError('PATCH', path, 409, { reason: 'Conflict' });
      }
      node = { ...node, ...patch };
    },
  } as unknown as KubeApi;

  beforeEach(() => {
    conflicts = 0;
    const metadata = { name: 'n1', uid: 'u', resourceVersion: '1' };
    node = { metadata, spec: { purge: [entry('a'), entry('b')] } };
  });

  const withoutA = () =>
    changePurge(api, 'n1', (entries) => entries.filter(({ name }) => name !== 'a'));
  const left = () => node?.spec?.purge?.map(({ name }) => name);

  it('lose no entry that another hand adds meanwhile', async () => {
    conflicts = 1;
    await withoutA();

    expect(left()).to.deep.equal(['b', 'meanwhile']);
    expect(node?.metadata).to.include({ uid: 'u', resourceVersion: '1' });
  });

  it('need nothing written where nothing changes, or nothing is there', async () => {
    conflicts = 1;
    await changePurge(api, 'n1', (entries) => entries);
    node = undefined;
    await withoutA();

    expect(conflicts).to.equal(1);
  });
});

describe('the owners of what is on disk', () => {
  const volume = (name: string, uid: string, adopts?: object) => ({
    metadata: { name, uid },
    spec: { bytes: 1, adopts },
  });
  const find = async (
    own: object[],
    named: Record<string, object>,
    ...asked: [string, string][]
  ) => {
    const api = {
      get: async (path: string) => {
        const name = path.split('/localvolumes/')[1];
        if (name === undefined) {
          return { items: own };
        }
        if (named[name] === undefined) {
          throw new ApiError('GET', path, 404, {});
        }
        return named[name];
      },
    } as unknown as KubeApi;
    const identities = asked.map(([name, volumeUid]) => ({ name, volumeUid }));
    return (await liveOwners(api, 'n1').find(identities))?.name;
  };

  it('are volumes of that uid, on this node or on another', async () => {
    expect(await find([volume('a', 'uid')], {}, ['b', 'uid'])).to.equal('a');
    expect(await find([], { b: volume('b', 'uid') }, ['b', 'uid'])).to.equal('b');
    expect(await find([], { b: volume('b', 'other') }, ['b', 'uid'])).to.equal(undefined);
  });

  it('are volumes that adopt it', async () => {
    const adopter = volume('a', 'own', { name: 'b', volumeUid: 'uid' });
    expect(await find([adopter], {}, ['b', 'uid'])).to.equal('a');
  });

  it('are all volumes of the name of a stray, and of the name it says', async () => {
    expect(await find([], { b: volume('b', 'any') }, ['b', ''])).to.equal('b');
    expect(await find([], { c: volume('c', 'uid') }, ['b', ''], ['c', 'uid'])).to.equal('c');
    expect(await find([volume('a', 'x')], {}, ['b', ''])).to.equal(undefined);
  });
});
