import { expect } from 'chai';
import { join } from 'node:path';
import type { LocalVolumeObject } from '../../src/kube/custom-objects.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../src/kube/objects.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { waitFor } from '../cluster/wait.ts';
import { HollowPool } from '../support/hollow-pool.ts';
import { FaultFolder } from '../support/fault-folder.ts';
import { Installation, type Role } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import { needLoopDevices } from '../support/loop-pool.ts';
import { MiB, storageClass, storagePool } from '../support/objects.ts';

const soon = { timeoutMs: 60_000, intervalMs: 50 };

describe('a claim that asks for more', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let kube: Kube;
  let disks: HollowPool;
  let control: Role;
  let agent: Role;
  let faults: FaultFolder;

  before(async function () {
    needLoopDevices(this);
    cluster = await startCluster();
    kube = new Kube(cluster);
    faults = new FaultFolder(join(cluster.dir, 'faults'));
    const { env } = faults;
    const berth = await Installation.on(cluster);
    disks = new HollowPool(berth, kube, 'h1');
    await cluster.addHollowNodes(['h1'], { labels: { 'kubernetes.io/hostname': 'h1' } });
    await kube.create(storagePool('fast', '256Mi'));
    const growing = { ...storageClass('growing', { pool: 'fast' }), allowVolumeExpansion: true };
    await kube.create(growing);
    control = await berth.startControl({ env });
    agent = await berth.startHollowAgent('h1', { env });
    await berth.poolsReported('fast', ['h1']);
  });

  after(() => cluster?.stop());

  afterEach(async () => {
    const claims = await kube.list<PersistentVolumeClaim>('PersistentVolumeClaim');
    await Promise.all(claims.map(({ metadata }) => disks.release(metadata?.name ?? '')));
    await kube.noVolumesLeft();
    await disks.freeIs('fast', 256 * MiB);
  });

  const ask = (name: string, storage: string) =>
    cluster.api.patch(`/api/v1/namespaces/default/persistentvolumeclaims/${name}`, {
      spec: { resources: { requests: { storage } } },
    });

  const capacityOf = async (name: string) => {
    const { status } = await kube.get<PersistentVolumeClaim>('PersistentVolumeClaim', name);
    return status?.capacity?.['storage'];
  };

  const hasGrown = (name: string, size: string) =>
    waitFor(`claim ${name} to have ${size}`, async () => (await capacityOf(name)) === size, {
      ...soon,
      explain: () => kube.eventTexts(name),
    });

  const volumeIs = async (name: string, mebibytes: number): Promise<void> => {
    const { spec, status } = await kube.get<LocalVolumeObject>('LocalVolume', name);
    expect(spec.bytes).to.equal(mebibytes * MiB);
    expect(status).to.include({
      bytes: mebibytes * MiB,
      allocatedBytes: (mebibytes + 1) * MiB,
      phase: 'Ready',
    });
    const volume = await kube.get<PersistentVolume>('PersistentVolume', name);
    expect(volume.spec?.capacity).to.deep.equal({ storage: `${mebibytes}Mi` });
  };

  it('gets it, keeps its data, and its room is counted', async () => {
    const name = await disks.bind('data', 'growing', '8Mi');
    await disks.write(name, 'kept');
    await ask('data', '40Mi');
    await hasGrown('data', '40Mi');

    await volumeIs(name, 40);
    expect(await disks.read(name, 4)).to.equal('kept');
    await disks.freeIs('fast', (256 - 41) * MiB);
    expect(await kube.event('data', 'VolumeExpanding')).to.include('from 8Mi to 40Mi');
    expect(await kube.event('data', 'VolumeExpanded')).to.include('40Mi');
    const claim = await kube.get<PersistentVolumeClaim>('PersistentVolumeClaim', 'data');
    expect(claim.status?.conditions ?? []).to.deep.equal([]);
  });

  it('waits with a word where there is no room, unharmed, and gets it when there is', async () => {
    await disks.bind('other', 'growing', '150Mi');
    const name = await disks.bind('data', 'growing', '8Mi');
    await disks.write(name, 'kept');
    await ask('data', '180Mi');

    const text = await kube.event('data', 'VolumeExpansionWaits');
    expect(text).to.include('172Mi more in pool fast').and.include('h1 has 96Mi of 256Mi');
    await volumeIs(name, 8);
    expect(await capacityOf('data')).to.equal('8Mi');
    await disks.release('other');
    await hasGrown('data', '180Mi');
    await volumeIs(name, 180);
    expect(await disks.read(name, 4)).to.equal('kept');
  });

  /** @returns when the role has ended there */
  const dieAt = (point: string, role: () => Role) => {
    faults.arm(point);
    return waitFor(`the end at ${point}`, async () => !role().program.running, soon);
  };

  for (const [point, role] of [
    ['grow.promise.before', () => control],
    ['grow.promise.after', () => control],
    ['grow.grow-image.after', () => agent],
    ['grow.follow.before', () => agent],
    ['grow.filesystem.before', () => agent],
    ['grow.filesystem.after', () => agent],
    ['grow.write-persistent-volume.after', () => control],
    ['grow.write-claim.before', () => control],
    ['grow.write-claim.after', () => control],
  ] as const) {
    it(`gets it although ${point} is the end of a process`, async () => {
      const name = await disks.bind('data', 'growing', '8Mi');
      await disks.write(name, 'kept');
      const died = dieAt(point, role);
      await ask('data', '24Mi');
      await died;
      await role().program.start();
      await hasGrown('data', '24Mi');

      await volumeIs(name, 24);
      expect(await disks.read(name, 4)).to.equal('kept');
      await disks.freeIs('fast', (256 - 25) * MiB);
    });
  }
});
