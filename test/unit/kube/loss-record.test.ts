import { expect } from 'chai';
import { ApiError } from '../../../src/kube/api.ts';
import type { PurgeEntry, StorageNodeObject } from '../../../src/kube/custom-objects.ts';
import { toLocalVolume } from '../../../src/kube/local-volumes.ts';
import { lossRecord } from '../../../src/kube/loss-record.ts';
import type { LocalVolume } from '../../../src/model/volume.ts';
import { FakeApi } from '../../support/fake-api.ts';
import { aClaim, aVolume } from '../../support/facts.ts';

const group = '/apis/berth.dev/v1alpha1';
const volumePath = `${group}/localvolumes/pvc-uid-data`;
const nodePath = `${group}/storagenodes/n1`;
const now = Date.UTC(2026, 0, 1);
const { spec } = aVolume(aClaim('data', 10), 'n1');

const other: PurgeEntry = {
  ...{ pool: 'fast', name: 'pvc-other', volumeUid: 'o1', erase: 'zero' },
  ...{ reason: 'a person', requestedAt: '2025-01-01T00:00:00Z' },
};

describe('lossRecord', () => {
  let api: FakeApi;
  beforeEach(() => {
    api = new FakeApi();
    const finalizers = ['berth.dev/agent', 'other.dev/keep'];
    api.put(volumePath, {
      metadata: { name: 'pvc-uid-data', uid: 'v1', finalizers },
      spec,
    } as object);
  });

  const stored = (): LocalVolume => toLocalVolume(api.objects.get(volumePath) as never);
  const purge = () => (api.objects.get(nodePath) as StorageNodeObject | undefined)?.spec?.purge;
  const wanted = {
    ...{ pool: 'fast', name: 'pvc-uid-data', volumeUid: 'v1', erase: 'discard' },
    ...{ reason: 'it was deleted', requestedAt: '2026-01-01T00:00:00.000Z' },
  };
  const putNode = (...entries: PurgeEntry[]): void =>
    api.put(nodePath, { metadata: { name: 'n1', uid: 's1' }, spec: { purge: entries } } as object);

  it('records the times on the volume, and takes them back', async () => {
    const record = lossRecord(api);

    expect(await record.markNodeLost(stored(), now)).to.equal(true);
    expect(stored()).to.include({ nodeLostSince: now, givenUp: false });
    expect(await record.markGivenUp(stored())).to.equal(true);
    expect(stored()).to.include({ nodeLostSince: now, givenUp: true });
    expect(await record.markBack(stored())).to.equal(true);
    expect(stored()).to.include({ nodeLostSince: undefined, givenUp: false });
  });

  it('records nothing on a version that it was not shown', async () => {
    const seen = stored();
    await lossRecord(api).markNodeLost(seen, now);

    expect(await lossRecord(api).markGivenUp(seen)).to.equal(false);
    expect(stored().givenUp).to.equal(false);
  });

  it('takes a time that cannot be read for none', async () => {
    await api.patch(volumePath, 'merge', {
      metadata: { annotations: { 'berth.dev/node-lost-since': 'yesterday' } },
    });

    expect(stored().nodeLostSince).to.equal(undefined);
  });

  it('makes the StorageNode where there is none', async () => {
    await lossRecord(api).requestPurge(stored(), 'it was deleted', now);

    expect(purge()).to.deep.equal([wanted]);
  });

  it('adds to what others have asked for, once', async () => {
    putNode(other);

    await lossRecord(api).requestPurge(stored(), 'it was deleted', now);
    await lossRecord(api).requestPurge(stored(), 'it was deleted', now + 1);

    expect(purge()).to.deep.equal([other, wanted]);
  });

  it('puts the volume that had a name last in the place of an older one', async () => {
    putNode({ ...other, name: 'pvc-uid-data' });

    await lossRecord(api).requestPurge(stored(), 'it was deleted', now);

    expect(purge()).to.deep.equal([wanted]);
  });

  it('loses nothing that is written at the same time', async () => {
    putNode();
    let isFirst = true;
    api.before = ({ verb }) => {
      if (verb === 'patch' && isFirst) {
        isFirst = false;
        putNode(other);
      }
    };

    await lossRecord(api).requestPurge(stored(), 'it was deleted', now);

    expect(purge()).to.deep.equal([other, wanted]);
  });

  it('takes over a StorageNode that is made at the same time', async () => {
    api.before = ({ verb }) => {
      if (verb === 'create' && !api.objects.has(nodePath)) {
        putNode(other);
        throw new ApiError('POST', nodePath, 409, {});
      }
    };

    await lossRecord(api).requestPurge(stored(), 'it was deleted', now);

    expect(purge()).to.deep.equal([other, wanted]);
  });

  it('takes no finalizer but that of the agent', async () => {
    await lossRecord(api).releaseFromAgent(stored());

    expect(api.objects.get(volumePath)?.metadata?.finalizers).to.deep.equal(['other.dev/keep']);
  });
});
