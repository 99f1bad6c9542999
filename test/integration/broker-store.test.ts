import { expect } from 'chai';
import type { Instance, Progress } from '../../src/broker/instance.ts';
import { instanceName, instanceStore } from '../../src/kube/broker-instances.ts';
import { openCluster } from '../../src/kube/client.ts';
import { bytes } from '../../src/model/bytes.ts';
import type { InstanceStore, StoredInstance } from '../../src/usecases/broker-ports.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { Installation } from '../support/installation.ts';

const instance = (id: string): Instance => ({
  id,
  serviceId: 'service-1',
  planId: 'plan-1',
  parameters: { size: '8Mi', nested: { list: [1, null, 'x'] } },
  context: { platform: 'kubernetes', namespace: 'default', clusterid: null },
  maintenanceVersion: '1.0.0',
  namespace: 'default',
  wants: {
    storageClass: 'fast',
    bytes: bytes(8 * 2 ** 20),
    count: 3,
    spread: 'nodes',
    volumeMode: 'Filesystem',
    cpu: '100m',
    memory: '64Mi',
    placement: {
      nodeSelector: { disk: 'fast' },
      tolerations: [{ key: 'only', operator: 'Exists' }],
      affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } },
    },
    placeholder: 'keep',
    inUse: 'refuse',
    retainMs: 0,
    patienceMs: 60_000,
  },
  bindings: [{ id: 'b', parameters: {}, context: {}, madeAt: '2030-01-01T00:00:00.000Z' }],
  operation: { id: 'op-1', kind: 'provision', startedAt: '2030-01-01T00:00:00.000Z' },
  progress: {
    operationId: 'op-1',
    state: 'in progress',
    description: 'waiting to begin',
    usable: false,
    repeatable: true,
    volumes: [],
    since: '2030-01-01T00:00:00.000Z',
  },
});

describe('BrokerInstances in a real API server', function () {
  this.timeout(60_000);
  let cluster: Cluster;
  let store: InstanceStore;

  before(async function () {
    this.timeout(900_000);
    cluster = await startCluster();
    await Installation.on(cluster);
    store = instanceStore(openCluster(cluster.kubeconfig).api);
  });

  after(() => cluster?.stop());

  const read = async (id: string): Promise<StoredInstance> => {
    const stored = await store.get(id);
    if (!stored) {
      throw new Error(`there is no instance ${id}`);
    }
    return stored;
  };

  it('keep every field of an instance, whatever its id', async () => {
    const id = 'An id/with everything: ü §$ ' + 'x'.repeat(300);
    expect(await store.create(instance(id))).to.equal('created');
    expect(await store.create(instance(id))).to.equal('exists');

    expect((await read(id)).instance).to.deep.equal(instance(id));
    expect((await store.list()).map((one) => one.instance)).to.deep.include(instance(id));
    expect(await store.get('another')).to.equal(undefined);
  });

  it('take a request and its progress apart, and each only from who has read last', async () => {
    await store.create(instance('two-hands'));
    const first = await read('two-hands');
    const progress: Progress = {
      ...first.instance.progress,
      description: '1 of 3 volumes are there',
      volumes: [{ claim: 'c-0', persistentVolume: 'pv', node: 'n', zone: 'z', bytes: bytes(1) }],
      work: { step: 'placing', leaving: ['pvc-1'] },
    };
    expect(await store.tell(first, progress)).to.equal('written');
    expect(await store.tell(first, progress)).to.equal('changed');
    expect(await store.ask(first, first.instance)).to.equal('changed');

    const second = await read('two-hands');
    expect(second.instance.progress).to.deep.equal(progress);
    const { planId, parameters, wants } = second.instance;
    const next: Instance = {
      ...second.instance,
      maintenanceVersion: undefined,
      planId: 'plan-2',
      parameters: { size: null },
      operation: {
        ...{ id: 'op-2', kind: 'update', startedAt: '2030-01-02T00:00:00.000Z' },
        before: { planId, parameters, wants, maintenanceVersion: '1.0.0' },
      },
    };
    expect(await store.ask(second, next)).to.equal('written');
    const { maintenanceVersion, ...rest } = next;
    expect(maintenanceVersion).to.equal(undefined);
    expect((await read('two-hands')).instance).to.deep.equal(rest);
  });

  it('go when they are removed, and by that hand only that has read them last', async () => {
    await store.create(instance('going'));
    const first = await read('going');
    await store.tell(first, { ...first.instance.progress, description: 'later' });

    expect(await store.remove(first)).to.equal('changed');
    expect(await store.remove(await read('going'))).to.equal('written');
    expect(await store.get('going')).to.equal(undefined);
  });

  it('that are deleted by hand stay, and are to be deprovisioned', async () => {
    await store.create(instance('by-hand'));
    const name = instanceName('by-hand');
    await cluster.kubectl(['delete', 'bi', name, '--wait=false']);

    const { instance: found, uid } = await read('by-hand');
    expect(found.operation).to.include({ kind: 'deprovision', id: `deletion-${uid}` });
    expect(found.wants.inUse).to.equal('wait');
    expect(await store.remove(await read('by-hand'))).to.equal('written');
    expect(await store.get('by-hand')).to.equal(undefined);
  });
});
