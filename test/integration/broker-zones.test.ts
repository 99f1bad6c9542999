import { join } from 'node:path';
import { expect } from 'chai';
import type { InstanceVolume, Progress, Wants } from '../../src/broker/instance.ts';
import type { Pod } from '../../src/kube/objects.ts';
import { bytes } from '../../src/model/bytes.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { FaultFolder } from '../support/fault-folder.ts';
import { Installation, type BrokerRole } from '../support/installation.ts';
import { Instances } from '../support/instances.ts';
import { Kube } from '../support/kube.ts';
import { needLoopDevices } from '../support/loop-pool.ts';
import { claim, MiB, pod, storageClass, storagePool } from '../support/objects.ts';

const zoneLabel = 'topology.kubernetes.io/zone';
const zones: Readonly<Record<string, readonly string[]>> = {
  east: ['east-1', 'east-2'],
  west: ['west-1', 'west-2'],
  north: ['north-1', 'north-2'],
};
const nodes = Object.values(zones).flat();

describe('a set of volumes over zones', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let kube: Kube;
  let instances: Instances;
  let broker: BrokerRole;
  let faults: FaultFolder;

  before(async function () {
    needLoopDevices(this);
    cluster = await startCluster();
    kube = new Kube(cluster);
    instances = new Instances(cluster);
    const berth = await Installation.on(cluster);
    await cluster.addHollowNodes(nodes);
    await Promise.all(Object.keys(zones).map(enterZone));
    await berth.startScheduler(await berth.startControl());
    await Promise.all(nodes.map((node) => berth.startHollowAgent(node)));
    await kube.create(storagePool('fast', '100Mi'));
    await kube.create(storageClass('fast', { pool: 'fast' }));
    await berth.poolsReported('fast', nodes);
    faults = new FaultFolder(join(cluster.dir, 'faults'));
    broker = await berth.startBroker(
      { services: [] },
      {
        flags: ['--plain-http', '--placeholder-scheduler', 'berth-scheduler'],
        env: faults.env,
      },
    );
  });

  after(() => cluster?.stop());

  afterEach(async () => {
    for (const kind of ['Pod', 'PersistentVolumeClaim']) {
      const objects = await kube.list<Pod>(kind);
      await kube.delete(
        kind,
        ...objects.map(({ metadata }) => metadata?.name ?? '').filter((name) => isHog(name)),
      );
    }
    await instances.removeAll();
    await kube.nothingLeft();
  });

  async function enterZone(zone: string): Promise<void> {
    await cluster.kubectl(['label', 'nodes', ...(zones[zone] ?? []), `${zoneLabel}=${zone}`]);
  }

  async function leaveZone(zone: string): Promise<void> {
    await cluster.kubectl(['label', 'nodes', ...(zones[zone] ?? []), `${zoneLabel}-`]);
  }

  /** Takes room on nodes without the broker: by the node, how much in MiB. */
  async function fill(rooms: Readonly<Record<string, number>>): Promise<void> {
    await Promise.all(
      Object.entries(rooms).map(async ([nodeName, size]) => {
        const name = `hog-${nodeName}`;
        await kube.create(claim(name, 'fast', `${size}Mi`));
        await kube.create(pod(name, { claims: [name], spec: { nodeName } }));
        await kube.volumeOf(name);
      }),
    );
  }

  const isHog = (name: string): boolean => name.startsWith('hog-');

  function provision(id: string, wants: Partial<Wants> = {}): Promise<void> {
    return instances.provision(id, {
      ...{ count: 3, spread: 'zones', bytes: bytes(30 * MiB), ...wants },
    });
  }

  /** One volume in each zone, and the platform is told which. */
  function expectSpread({ state, description, volumes }: Progress): void {
    expect(state, description).to.equal('succeeded');
    expect(volumes.map(({ zone }) => zone)).to.have.members(Object.keys(zones));
    const isThere = ({ node = '', zone = '' }: InstanceVolume) => zones[zone]?.includes(node);
    expect(volumes.every(isThere), JSON.stringify(volumes)).to.equal(true);
  }

  /** Fails for good, with a reason, and gives back all it had while its record is still there. */
  async function expectNothing(id: string, reason: RegExp): Promise<void> {
    const { state, description, usable, volumes } = await instances.ended(id);
    expect({ state, usable, volumes }, description).to.deep.equal({
      ...{ state: 'failed', usable: false, volumes: [] },
    });
    expect(description).to.match(reason);
    const ofSets = async (kind: string) =>
      (await kube.list<Pod>(kind)).filter(({ metadata }) => !isHog(metadata?.name ?? ''));
    expect(await ofSets('PersistentVolumeClaim')).to.deep.equal([]);
    expect(await ofSets('Pod')).to.deep.equal([]);
  }

  it('is in three different ones', async () => {
    await provision('set');
    expectSpread(await instances.ended('set'));
  });

  for (const roomy of Object.keys(zones)) {
    it(`is in three different ones although ${roomy} alone has nodes that are free`, async () => {
      const narrow = Object.entries(zones).filter(([zone]) => zone !== roomy);
      const rooms = narrow.map(([, [full = '', tight = '']]) => ({ [full]: 90, [tight]: 60 }));
      await fill(Object.assign({}, ...rooms) as Record<string, number>);
      await provision('set');

      const made = await instances.ended('set');
      expectSpread(made);
      const tight = narrow.map(([, [, node]]) => node);
      expect(made.volumes.map(({ node }) => node)).to.include.members(tight);
    });
  }

  it('is as many sets as the narrowest zone has room for', async () => {
    await fill({ 'west-1': 90, 'west-2': 60 });
    const ids = ['a', 'b', 'c'];
    await Promise.all(ids.map((id) => provision(id)));

    const ends = await Promise.all(ids.map((id) => instances.ended(id, 150_000)));
    const made = ends.filter(({ state }) => state === 'succeeded');
    expect(made, JSON.stringify(ends)).to.have.length(1);
    made.forEach(expectSpread);
    expect(await kube.list('LocalVolume')).to.have.length(3 + 2);
  });

  it('cannot be where there are two zones, however much room the other nodes have', async () => {
    await leaveZone('north');
    try {
      await provision('set', { bytes: bytes(8 * MiB) });
      await expectNothing('set', /no place for 1 of 3 volumes.*anti-affinity/);
    } finally {
      await enterZone('north');
    }
  });

  it('cannot be where a zone is full, and can when it is not any more', async () => {
    await fill({ 'north-1': 90, 'north-2': 90 });
    await provision('set');
    await expectNothing(
      'set',
      /no place for 1 of 3 volumes.*north-1 has 9Mi of 100Mi free in fast/,
    );

    await kube.delete('Pod', 'hog-north-2');
    await kube.delete('PersistentVolumeClaim', 'hog-north-2');
    await kube.gone('PersistentVolumeClaim', 'hog-north-2');
    await provision('again');
    expectSpread(await instances.ended('again'));
  });

  it('is given back when a zone fills while it is being made', async () => {
    faults.arm('broker.make-placeholder.before', { id: 'filling', fault: 'pause' });
    await provision('set');
    await faults.reached('filling');
    // Claims are there, and nobody has been asked for places.
    await fill({ 'west-1': 90, 'west-2': 90 });
    broker.program.signal('SIGCONT');

    await expectNothing('set', /no place for 1 of 3 volumes.*west-2 has 9Mi of 100Mi free in fast/);
  });
});
