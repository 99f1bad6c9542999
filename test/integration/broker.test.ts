import { join } from 'node:path';
import { expect } from 'chai';
import type { Wants } from '../../src/broker/instance.ts';
import { brokerSteps, pointsOf } from '../../src/commands/fault-steps.ts';
import { instanceName } from '../../src/kube/broker-instances.ts';
import type { LocalVolumeObject } from '../../src/kube/custom-objects.ts';
import type { Node, PersistentVolumeClaim, Pod } from '../../src/kube/objects.ts';
import { bytes } from '../../src/model/bytes.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { waitFor } from '../cluster/wait.ts';
import { FaultFolder } from '../support/fault-folder.ts';
import { Installation, type BrokerRole } from '../support/installation.ts';
import { Instances } from '../support/instances.ts';
import { Kube } from '../support/kube.ts';
import { needLoopDevices } from '../support/loop-pool.ts';
import { claim, MiB, pod, storageClass, storagePool } from '../support/objects.ts';

const schedulerName = 'berth-scheduler';
const soon = { timeoutMs: 30_000, intervalMs: 20 };

describe('the working half of the broker', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let kube: Kube;
  let instances: Instances;
  let broker: BrokerRole;
  let faults: FaultFolder;
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
    const sizes = { fast: '100Mi', fifty: '50Mi', forty: '40Mi' };
    for (const [pool, size] of Object.entries(sizes)) {
      await kube.create(storagePool(pool, size, pool === 'fast' ? {} : { many: 'yes' }));
      const growing = { ...storageClass(pool, { pool }), allowVolumeExpansion: pool === 'fast' };
      await kube.create(growing);
    }
    await cluster.kubectl(['label', 'nodes', 'b1', 'b2', 'many=yes']);
    await Promise.all(Object.keys(sizes).map((pool) => berth.poolsReported(pool, ['b1', 'b2'])));
    await berth.poolsReported('fast', nodes);
    faults = new FaultFolder(join(cluster.dir, 'faults'));
    broker = await berth.startBroker(
      { services: [] },
      {
        flags: ['--plain-http', '--placeholder-scheduler', schedulerName],
        env: faults.env,
      },
    );
  });

  after(() => cluster?.stop());

  afterEach(async () => {
    for (const kind of ['Pod', 'PersistentVolumeClaim'] as const) {
      const objects = await kube.list<Pod>(kind);
      const others = objects.filter(
        ({ metadata }) => metadata?.labels?.['berth.dev/instance'] === undefined,
      );
      await kube.delete(kind, ...others.map(({ metadata }) => metadata?.name ?? ''));
    }
    await instances.removeAll();
    await kube.nothingLeft();
  });

  async function provisionAll(count: number, wants: Partial<Wants>): Promise<readonly string[]> {
    const ids = Array.from({ length: count }, (_, i) => `many-${i}`);
    await Promise.all(ids.map((id) => instances.provision(id, wants)));
    return ids;
  }

  /** Takes room on a node without the broker. */
  async function fill(node: string, name: string, size: string): Promise<void> {
    await kube.create(claim(name, 'fast', size));
    await kube.create(pod(name, { claims: [name], spec: { nodeName: node } }));
    await kube.volumeOf(name);
  }

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

  it('takes back what it has of a set that finds too little room, and says why', async () => {
    await fill('b2', 'hog', '90Mi');
    await instances.provision('set', { count: 3, bytes: bytes(40 * MiB) });

    const { state, description, usable } = await instances.ended('set');
    expect({ state, usable }).to.deep.equal({ state: 'failed', usable: false });
    expect(description)
      .to.include('1 of 3 volumes')
      .and.match(/b2 has 9Mi of 100Mi free in fast/);
    await kube.delete('Pod', 'hog');
    await kube.delete('PersistentVolumeClaim', 'hog');
    await kube.nothingLeft();
  });

  const block = { volumeMode: 'Block', bytes: bytes(MiB) } as const;

  it('makes fifty at once where there is room for fifty', async () => {
    const ids = await provisionAll(50, { ...block, storageClass: 'fifty' });

    const ends = await Promise.all(ids.map((id) => instances.ended(id, 150_000)));
    expect(ends.filter(({ state }) => state === 'succeeded')).to.have.length(50);
  });

  it('makes forty of fifty where there is room for forty, and leaves nothing of ten', async () => {
    const ids = await provisionAll(50, { ...block, storageClass: 'forty' });

    const ends = await Promise.all(ids.map((id) => instances.ended(id, 150_000)));
    const failed = ends.filter(({ state }) => state === 'failed');
    expect(failed).to.have.length(10);
    failed.forEach(({ description }) => expect(description).to.match(/free in forty/));
    expect(await kube.list('LocalVolume')).to.have.length(40);
    expect(await kube.list('PersistentVolumeClaim')).to.have.length(40);
  });

  it('makes as many sets at once as there is room for, whole ones', async () => {
    const ids = await provisionAll(6, { count: 3, bytes: bytes(24 * MiB) });

    const ends = await Promise.all(ids.map((id) => instances.ended(id, 150_000)));
    const made = ends.filter(({ state }) => state === 'succeeded');
    expect(made, JSON.stringify(ends)).to.have.length(4);
    made.forEach(({ volumes }) => expect(volumes.map(({ node }) => node)).to.have.members(nodes));
    expect(await kube.list('LocalVolume')).to.have.length(12);
  });

  it('lets volumes grow, and says what an update could not do', async () => {
    await instances.provision('set', { count: 2 });
    await instances.ended('set');
    await instances.update('set', { bytes: bytes(16 * MiB) });

    const { state, volumes } = await instances.ended('set');
    expect(state).to.equal('succeeded');
    expect(volumes.map((one) => one.bytes)).to.deep.equal([16 * MiB, 16 * MiB]);

    await instances.update('set', { bytes: bytes(200 * MiB), patienceMs: 3_000 });
    const failed = await instances.ended('set');
    expect(failed).to.include({ state: 'failed', usable: true, repeatable: true });
    expect(failed.description).to.match(/0 of 2 volumes have 200Mi after 3s: .*in pool fast/);
    expect(failed.volumes.map((one) => one.bytes)).to.deep.equal([16 * MiB, 16 * MiB]);
  });

  it('says at once that a class lets nothing grow', async () => {
    await instances.provision('stiff', { ...block, storageClass: 'fifty' });
    await instances.ended('stiff');
    await instances.update('stiff', { bytes: bytes(2 * MiB) });

    const { state, usable, description } = await instances.ended('stiff');
    expect({ state, usable }).to.deep.equal({ state: 'failed', usable: true });
    expect(description).to.match(/resize/);
  });

  for (const inUse of ['refuse', 'wait'] as const) {
    it(`does not take away what a pod uses: ${inUse}`, async () => {
      await instances.provision('used', { inUse });
      const { volumes } = await instances.ended('used');
      const claims = [volumes[0]?.claim ?? ''];
      await kube.create(pod('worker', { claims, schedulerName }));
      await kube.nodeOf('worker');
      await instances.deprovision('used');

      if (inUse === 'refuse') {
        const { state, usable, description } = await instances.ended('used');
        expect({ state, usable }).to.deep.equal({ state: 'failed', usable: true });
        expect(description).to.include('worker');
      } else {
        await waitFor(
          'the word of who uses it',
          async () => {
            const { instance } = await instances.read('used');
            return instance.progress.description.includes('worker');
          },
          soon,
        );
      }
      expect((await kube.volumeOf(claims[0] ?? '')).status?.phase).to.equal('Bound');
      await kube.delete('Pod', 'worker');
      if (inUse === 'refuse') {
        await instances.deprovision('used');
      }
      await instances.gone('used');
      await kube.nothingLeft();
    });
  }

  it('keeps volumes for as long as the plan says, and then takes them away', async () => {
    await instances.provision('kept', { retainMs: 8_000, placeholder: 'keep' });
    const { volumes } = await instances.ended('kept');
    await instances.deprovision('kept');
    await instances.gone('kept');

    const kept = await kube.volumeOf(volumes[0]?.claim ?? '');
    expect(kept.metadata?.name).to.equal(volumes[0]?.persistentVolume);
    // Another one with the same id has nothing to do with them.
    await instances.provision('kept', {});
    const again = await instances.ended('kept');
    expect(again.state, again.description).to.equal('succeeded');
    expect(again.volumes[0]?.claim).not.to.equal(volumes[0]?.claim);
    await kube.gone('PersistentVolumeClaim', volumes[0]?.claim ?? '');
    await kube.gone('LocalVolume', volumes[0]?.persistentVolume ?? '');
    expect(await kube.list('LocalVolume')).to.have.length(1);
  });

  it('keeps the place of a workload, which pushes its placeholder away', async () => {
    await instances.provision('place', { placeholder: 'keep', cpu: '3' });
    const { volumes } = await instances.ended('place');
    const { claim: name = '', node } = volumes[0] ?? {};
    await cluster.api.patch(`/api/v1/nodes/${node}/status`, {
      status: { allocatable: { cpu: '4', memory: '8Gi', pods: '110' } },
    });
    await kube.create(pod('worker', { claims: [name], cpu: '3', schedulerName }));

    if (cluster.version.minor < 22) {
      // The scheduler of this version evicts nobody for pods with volumes of ours: the test does.
      await kube.event('worker', 'FailedScheduling');
      const [placeholder] = await kube.list<Pod>('Pod');
      await kube.delete('Pod', placeholder?.metadata?.name ?? '');
    }

    expect(await kube.nodeOf('worker', 60_000)).to.equal(node);
    const left = await kube.list<Pod>('Pod');
    expect(left.map(({ metadata }) => metadata?.name)).to.deep.equal(['worker']);
  });

  it('deprovisions what is deleted by hand', async () => {
    await instances.provision('by-hand', {});
    await instances.ended('by-hand');
    await cluster.kubectl(['delete', 'bi', instanceName('by-hand'), '--wait=false']);

    await instances.gone('by-hand');
    await kube.nothingLeft();
  });

  it('goes on when the API server is back', async () => {
    const ids = await provisionAll(5, { count: 2, bytes: bytes(2 * MiB) });
    await cluster.kill('apiserver');
    await cluster.restart('apiserver');

    const ends = await Promise.all(ids.map((id) => instances.ended(id, 120_000)));
    expect(ends.map(({ state }) => state)).to.deep.equal(ids.map(() => 'succeeded'));
  });

  /** The next one need not wait until the Lease of the dead one runs out. */
  async function dieAndReturn(point: string): Promise<void> {
    await waitFor(`the end at ${point}`, async () => !broker.program.running, soon);
    await cluster.kubectl(['delete', 'lease', 'berth-broker', '-n', 'berth-system']);
    await broker.program.start();
  }

  const steps = [...Object.values(brokerSteps.instances), ...Object.values(brokerSteps.parts)];
  for (const point of steps.flatMap(pointsOf)) {
    it(`leaves nothing half done although ${point} is the end of the process`, async () => {
      faults.arm(point);
      const died = dieAndReturn(point);
      const retainMs = point.includes('retain') ? 100 : 0;
      const set = { count: 2, bytes: bytes(2 * MiB), retainMs };
      await instances.provision('set', set);
      const made = await instances.ended('set');
      expect(made.state, made.description).to.equal('succeeded');
      await instances.update('set', { bytes: bytes(4 * MiB) });
      const grown = await instances.ended('set');
      expect(grown.volumes.map((one) => one.bytes)).to.deep.equal([4 * MiB, 4 * MiB]);
      await instances.deprovision('set');
      await instances.gone('set');
      await died;
      await kube.nothingLeft();
    });
  }

  it('starts anew elsewhere when a node is lost on the way', async () => {
    // At the third look both volumes are there, and nobody was told.
    faults.arm('broker.read-parts.before', { id: 'lost', fault: 'pause', passing: 3 });
    await instances.provision('set', { count: 2 });
    const found = await waitFor(
      'two volumes that nobody was told of',
      async () => {
        const claims = await kube.list<PersistentVolumeClaim>('PersistentVolumeClaim');
        const bound = claims.filter(({ status }) => status?.phase === 'Bound');
        return bound.length === 2 ? kube.list<LocalVolumeObject>('LocalVolume') : undefined;
      },
      soon,
    );
    await faults.reached('lost');
    const [lost] = found;
    const node = lost?.spec.node ?? '';
    await cluster.kill(`agent-${node}`);
    cluster.hollow.lose(node);
    await waitFor(`node ${node} to count as lost`, () => isNotReady(node), {
      ...{ timeoutMs: 90_000, intervalMs: 200 },
    });
    broker.program.signal('SIGCONT');

    const { state, volumes, description } = await instances.ended('set', 90_000);
    expect(state, description).to.equal('succeeded');
    expect(volumes.map((one) => one.node)).to.have.members(nodes.filter((one) => one !== node));
    await cluster.hollow.bringBack(node);
    await cluster.restart(`agent-${node}`);
    await kube.gone('LocalVolume', lost?.metadata.name ?? '');
  });

  async function isNotReady(name: string): Promise<boolean> {
    const { status } = await kube.get<Node>('Node', name);
    return status?.conditions?.find(({ type }) => type === 'Ready')?.status !== 'True';
  }
});
