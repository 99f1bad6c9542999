import { expect } from 'chai';
import { instanceName } from '../../src/kube/broker-instances.ts';
import type { LocalVolumeObject } from '../../src/kube/custom-objects.ts';
import type { PersistentVolumeClaim, Pod } from '../../src/kube/objects.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { Installation } from '../support/installation.ts';
import { Instances } from '../support/instances.ts';
import { Kube } from '../support/kube.ts';
import { needLoopDevices } from '../support/loop-pool.ts';
import { storageClass, storagePool } from '../support/objects.ts';

/** The platform is played by the record alone: what HTTP makes of requests is tested elsewhere. */
describe('the working half of the broker', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let kube: Kube;
  let instances: Instances;
  const nodes = ['b1', 'b2', 'b3'];

  before(async function () {
    needLoopDevices(this);
    cluster = await startCluster();
    kube = new Kube(cluster);
    instances = new Instances(cluster);
    const berth = await Installation.on(cluster);
    await cluster.addHollowNodes(nodes);
    const control = await berth.startControl();
    await berth.startScheduler(control);
    await Promise.all(nodes.map((node) => berth.startHollowAgent(node)));
    await kube.create(storagePool('fast', '100Mi'));
    const growing = { ...storageClass('fast', { pool: 'fast' }), allowVolumeExpansion: true };
    await kube.create(growing);
    await berth.poolsReported('fast', nodes);
    const flags = ['--plain-http', '--placeholder-scheduler', 'berth-scheduler'];
    await berth.startBroker({ services: [] }, { flags });
  });

  after(() => cluster?.stop());

  afterEach(async () => {
    for (const { instance } of await instances.list()) {
      await instances.deprovision(instance.id);
    }
    await Promise.all((await instances.list()).map(({ instance }) => instances.gone(instance.id)));
    await kube.noVolumesLeft();
    expect(await kube.list<PersistentVolumeClaim>('PersistentVolumeClaim')).to.deep.equal([]);
    expect(await kube.list<Pod>('Pod')).to.deep.equal([]);
  });

  it('makes one volume, and takes it away', async () => {
    await instances.provision('one', {});

    const { state, volumes, description } = await instances.ended('one');
    expect(state, description).to.equal('succeeded');
    const [volume] = volumes;
    const found = await kube.get<LocalVolumeObject>('LocalVolume', volume?.persistentVolume ?? '');
    expect(found.spec.node).to.equal(volume?.node);
    expect(await kube.list<Pod>('Pod')).to.deep.equal([]);

    await instances.deprovision('one');
    await instances.gone('one');
    expect(await kube.list('LocalVolume')).to.deep.equal([]);
  });

  it('makes a set on three nodes, and keeps the places', async () => {
    await instances.provision('set', { count: 3, placeholder: 'keep', cpu: '10m' });

    const { state, volumes, description } = await instances.ended('set');
    expect(state, description).to.equal('succeeded');
    expect(volumes.map(({ node }) => node)).to.have.members(nodes);
    const pods = await kube.list<Pod>('Pod');
    expect(pods.map(({ spec }) => spec?.nodeName)).to.have.members(nodes);
    expect(pods[0]?.metadata?.labels).to.include({ 'berth.dev/instance': instanceName('set') });
  });
});
