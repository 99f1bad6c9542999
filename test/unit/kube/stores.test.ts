import { expect } from 'chai';
import type { ClusterState } from '../../../src/kube/cluster-state.ts';
import { clusterLookup, feedLedger } from '../../../src/kube/cluster-state.ts';
import type { LocalVolumeObject, StoragePoolObject } from '../../../src/kube/custom-objects.ts';
import { localVolumeStore } from '../../../src/kube/local-volumes.ts';
import { NodeIndex } from '../../../src/kube/node-index.ts';
import type { Node } from '../../../src/kube/objects.ts';
import { persistentVolumeStore } from '../../../src/kube/persistent-volumes.ts';
import { waiter } from '../../../src/kube/waiter.ts';
import { bytes } from '../../../src/model/bytes.ts';
import { Ledger } from '../../../src/scheduling/ledger.ts';
import { FakeApi, FakeReflector } from '../../support/fake-api.ts';
import { aClaim, aClass, aVolume } from '../../support/facts.ts';

const data = aClaim('data', 10);
const { spec } = aVolume(data, 'n1');
const name = 'pvc-uid-data';
const path = `/apis/berth.dev/v1alpha1/localvolumes/${name}`;

function localVolume(status?: LocalVolumeObject['status']): LocalVolumeObject {
  const metadata = { name, uid: 'v1', creationTimestamp: '2026-01-01T00:00:00Z' };
  return { metadata, spec, ...(status ? { status } : {}) };
}

describe('localVolumeStore', () => {
  let api: FakeApi;
  let memory: FakeReflector<LocalVolumeObject>;
  const open = () => localVolumeStore(api, memory, waiter(memory));
  beforeEach(() => {
    api = new FakeApi();
    memory = new FakeReflector();
  });

  it('makes a volume that both sides hold, and finds it the second time', async () => {
    const made = await open().ensure(name, spec);
    const again = await open().ensure(name, spec);

    expect(made).to.deep.include({ heldByControl: true, heldByAgent: true, published: false });
    expect(again).to.deep.equal(made);
    expect(api.objects.get(path)?.metadata?.labels).to.deep.equal({ 'berth.dev/node': 'n1' });
  });

  it('marks only the version that it was shown', async () => {
    const made = await open().ensure(name, spec);

    expect(await open().markPublished(made)).to.equal(true);
    expect(await open().markRetained(made)).to.equal(false);
    expect(await open().markDeleted(made)).to.equal(false);

    const now = await open().read(name);
    expect(now).to.deep.include({ published: true, retained: false });
    expect(now && (await open().markRetained(now))).to.equal(true);
    expect((await open().read(name))?.retained).to.equal(true);
  });

  it('remembers which volume another one follows, from the start or later', async () => {
    const first = { name: 'pvc-a', uid: 'a1' };

    const made = await open().ensure(name, spec, first);
    const moved = await open().markFollower(made, { name: 'pvc-a', uid: 'a2' });
    const again = await open().markFollower(made, first);

    expect(made.follows).to.deep.equal(first);
    expect([moved, again]).to.deep.equal([true, false]);
    expect((await open().read(name))?.follows).to.deep.equal({ name: 'pvc-a', uid: 'a2' });
  });

  it('says that a volume which is gone was changed', async () => {
    const made = await open().ensure(name, spec);
    api.objects.clear();

    expect(await open().markPublished(made)).to.equal(false);
    expect(await open().markDeleted(made)).to.equal(false);
    expect(await open().read(name)).to.equal(undefined);
  });

  it('does not take a broken API server for a change', async () => {
    const made = await open().ensure(name, spec);
    api.before = () => Promise.reject(new Error('API gone'));

    const thrown: unknown = await open()
      .markDeleted(made)
      .catch((error: unknown) => error);

    expect(thrown).to.be.an('error').with.property('message', 'API gone');
  });

  it('takes its own finalizer off and leaves the agent’s, again after a conflict', async () => {
    api.put(path, localVolume());
    Object.assign(api.objects.get(path)?.metadata ?? {}, {
      finalizers: ['berth.dev/control', 'berth.dev/agent'],
    });
    const volume = aVolume(data, 'n1', { uid: 'v1' });
    let conflicts = 0;
    api.before = ({ verb }) => {
      if (verb === 'patch' && conflicts === 0) {
        conflicts += 1;
        api.put(path, api.objects.get(path) ?? {});
      }
    };

    await open().releaseToAgent(volume);
    await open().releaseToAgent(volume);

    expect(api.objects.get(path)?.metadata?.finalizers).to.deep.equal(['berth.dev/agent']);
  });

  it('leaves the finalizer of a namesake alone', async () => {
    api.put(path, localVolume());

    await open().releaseToAgent(aVolume(data, 'n1', { uid: 'older' }));

    expect(api.writes()).to.deep.equal([]);
  });

  it('wakes who waits for a volume, and not before it is as wanted', async () => {
    const ended: boolean[] = [];
    const waiting = open()
      .waitUntil(name, (volume) => volume?.status.phase === 'Ready', 5_000)
      .then((held) => ended.push(held));

    memory.put(name, localVolume());
    memory.put('pvc-other', localVolume({ phase: 'Ready' }));
    await Promise.resolve();
    expect(ended).to.deep.equal([]);

    memory.put(name, localVolume({ phase: 'Ready' }));
    await waiting;
    expect(ended).to.deep.equal([true]);
  });

  it('ends waiting in time', async () => {
    expect(await open().waitUntil(name, () => false, 1)).to.equal(false);
  });
});

describe('persistentVolumeStore', () => {
  const volume = aVolume(data, 'n1', { status: { phase: 'Ready', path: '/dev/x' } });
  const pvPath = `/api/v1/persistentvolumes/${name}`;
  let api: FakeApi;
  const open = (hostname: string | undefined = 'host-1') =>
    persistentVolumeStore({ api, memory: new FakeReflector(), hostname: () => hostname });
  beforeEach(() => {
    api = new FakeApi();
  });

  it('makes it once', async () => {
    await open().ensure(volume, data, aClass('fast'));
    await open().ensure(volume, data, aClass('fast'));

    expect(api.objects.size).to.equal(1);
    expect(await open().read(name)).to.deep.include({
      claimUid: 'uid-data',
      ours: true,
      heldByControl: true,
      reclaimPolicy: 'Delete',
    });
  });

  it('never takes over one that is for another claim', async () => {
    await open().ensure(volume, data, aClass('fast'));
    const namesake = { ...data, ref: { ...data.ref, uid: 'other' } };

    const thrown: unknown = await open()
      .ensure(volume, namesake, aClass('fast'))
      .catch((error: unknown) => error);

    expect(thrown).to.be.an('error').with.property('message', `${name} exists for another claim`);
  });

  it('needs the label that kubelet compares', async () => {
    const store = persistentVolumeStore({
      ...{ api, memory: new FakeReflector(), hostname: () => undefined },
    });

    const thrown: unknown = await store
      .ensure(volume, data, aClass('fast'))
      .catch((error: unknown) => error);

    expect(String(thrown)).to.contain('node n1 has no label kubernetes.io/hostname');
    expect(api.writes()).to.deep.equal([]);
  });

  it('removes the one it was shown, and no namesake', async () => {
    await open().ensure(volume, data, aClass('fast'));
    const seen = await open().read(name);
    api.put(pvPath, { metadata: { name, uid: 'newer' } });

    const thrown: unknown = seen
      ? await open()
          .remove({ ...seen, uid: 'older' })
          .catch((error: unknown) => error)
      : undefined;

    expect(thrown).to.be.an('error');
    expect(api.objects.has(pvPath)).to.equal(true);
  });

  it('counts one that is being deleted for no PersistentVolume', async () => {
    await open().ensure(volume, data, aClass('fast'));
    const deletionTimestamp = '2030-01-01T00:00:00Z';
    await api.patch(pvPath, 'merge', { metadata: { deletionTimestamp } });

    const thrown: unknown = await open()
      .ensure(volume, data, aClass('fast'))
      .catch((error: unknown) => error);

    expect(String(thrown)).to.contain(`${name} is being deleted`);
  });

  it('lets one go only as it was seen', async () => {
    await open().ensure(volume, data, aClass('fast'));
    const seen = await open().read(name);
    await api.patch(pvPath, 'merge', { status: { phase: 'Bound' } });
    const bound = await open().read(name);

    for (const [one, isHeld] of [
      [seen, true],
      [bound, false],
    ] as const) {
      if (one) {
        await open().letGo(one);
      }
      expect((await open().read(name))?.heldByControl).to.equal(isHeld);
    }
  });

  it('takes one that is gone for removed', async () => {
    await open().ensure(volume, data, aClass('fast'));
    const seen = await open().read(name);
    api.objects.clear();

    if (seen) {
      await open().remove(seen);
    }

    expect(api.objects.size).to.equal(0);
  });
});

describe('the view of the cluster', () => {
  let api: FakeApi;
  let state: Record<keyof ClusterState, FakeReflector<never>>;
  let pools: FakeReflector<StoragePoolObject>;
  let volumes: FakeReflector<LocalVolumeObject>;
  let ledger: Ledger;
  let overhead: number | undefined;
  beforeEach(() => {
    api = new FakeApi();
    const kinds = ['nodes', 'leases', 'pods', 'claims', 'persistentVolumes', 'classes'] as const;
    pools = new FakeReflector();
    volumes = new FakeReflector();
    state = {
      ...Object.fromEntries(kinds.map((kind) => [kind, new FakeReflector()])),
      ...{ pools, localVolumes: volumes, storageNodes: new FakeReflector() },
    } as unknown as typeof state;
    ledger = new Ledger();
    overhead = undefined;
    const allocatedFor = (size: number) => bytes(size + (overhead ?? 0));
    const options = { ledger, now: () => 0, silentAfterMs: 1 };
    const rule = { gives: 'device', allocatedFor } as const;
    const poolRules = () => (overhead === undefined ? undefined : rule);
    const index = new NodeIndex({ ...options, poolRules });
    feedLedger(state as unknown as ClusterState, ledger, index);
    const report = '{"total":100,"free":100,"largest":100,"generation":1,"healthy":true}';
    const annotations = { 'capacity.berth.dev/fast': report };
    const node: Node = { metadata: { name: 'n1', annotations } };
    state.nodes.put('n1', node as never);
  });

  const free = () => ledger.room({ node: 'n1', pool: 'fast' })?.free;

  it('counts volumes as they come, are measured, and go', () => {
    overhead = 2;
    volumes.put(name, localVolume());
    expect(free()).to.equal(88);

    volumes.put(name, localVolume({ phase: 'Ready', allocatedBytes: 16, generation: 2 }));
    expect(free()).to.equal(84);

    volumes.drop(name);
    expect(free()).to.equal(100);
  });

  it('takes nothing off for what is adopted: the report has counted its disk', () => {
    const volume = localVolume();
    const adopts = { name: 'pvc-0', volumeUid: 'old' };
    volumes.put(name, { ...volume, spec: { ...volume.spec, adopts } });
    const report = '{"total":100,"free":88,"largest":88,"generation":1,"healthy":true}';
    const annotations = { 'capacity.berth.dev/fast': report };
    state.nodes.put('n1', { metadata: { name: 'n1', annotations } } as never);

    expect(free()).to.equal(88);
    volumes.put(name, localVolume({ phase: 'Ready', allocatedBytes: 12, generation: 2 }));
    expect(free()).to.equal(76);
  });

  it('counts volumes anew when their StoragePool comes after them', () => {
    volumes.put(name, localVolume());
    expect(free()).to.equal(90);

    overhead = 2;
    pools.put('fast', { metadata: { name: 'fast' }, spec: { backend: 'loop' } });

    expect(free()).to.equal(88);
  });

  it('forgets the room of a node that is gone', () => {
    state.nodes.drop('n1');

    expect(free()).to.equal(undefined);
  });

  describe('when something is looked up', () => {
    const claimPath = '/api/v1/namespaces/shop/persistentvolumeclaims/data';
    const object = { metadata: { namespace: 'shop', name: 'data', uid: 'u1' } };
    const noRules = () => undefined;
    const lookup = (live = false) =>
      clusterLookup(state as unknown as ClusterState, api, noRules, live);

    it('asks the API server for a claim that memory does not have yet', async () => {
      expect(await lookup().claim('shop', 'data')).to.equal(undefined);

      api.put(claimPath, object);

      expect((await lookup().claim('shop', 'data'))?.ref.uid).to.equal('u1');
    });

    it('asks it for nothing that memory has, unless it must be live', async () => {
      state.claims.put('shop/data', object as never);

      await lookup().claim('shop', 'data');
      expect(api.calls).to.deep.equal([]);

      expect(await lookup(true).claim('shop', 'data')).to.equal(undefined);
    });

    it('gives a claim without a class the default one, and one with an empty name none', async () => {
      const annotations = { 'storageclass.kubernetes.io/is-default-class': 'true' };
      const usual = { metadata: { name: 'usual', annotations }, provisioner: 'x' };
      state.classes.put('usual', usual as never);
      state.claims.put('shop/data', object as never);
      const bare = { ...object, spec: { storageClassName: '' } };
      state.claims.put('shop/bare', bare as never);

      expect((await lookup().claim('shop', 'data'))?.className).to.equal('usual');
      expect((await lookup().claim('shop', 'bare'))?.className).to.equal('');
      expect((await lookup().volumeClass(undefined))?.name).to.equal('usual');
      expect(await lookup().volumeClass('')).to.equal(undefined);
      expect(api.calls).to.deep.equal([]);
    });
  });
});
