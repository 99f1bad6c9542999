import { expect } from 'chai';

import type { StorageNodeObject, StoragePoolObject } from '../../src/kube/custom-objects.ts';
import { MiB } from '../../src/model/bytes.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { waitFor } from '../cluster/wait.ts';
import { HollowPool } from '../support/hollow-pool.ts';
import { Installation, type Role } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import { loopDisks, type LoopDisks } from '../support/loop-disks.ts';
import { claim, pod, storageClass } from '../support/objects.ts';

const soon = { timeoutMs: 30_000 };
const schedulerName = 'berth-scheduler';
const path = '/apis/berth.dev/v1alpha1/storagepools';

describe('a pool of disks', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let berth: Installation;
  let kube: Kube;
  let media: LoopDisks;
  let agent: Role;
  let disks: HollowPool;
  let blank: string;
  let foreign: string;

  before(async () => {
    media = await loopDisks();
    blank = await media.add(64);
    foreign = await media.add(64);
    await runCommand('mkfs.ext4', ['-q', foreign]);
    cluster = await startCluster();
    kube = new Kube(cluster);
    berth = await Installation.on(cluster);
    await cluster.addHollowNodes(['d1'], { labels: { 'kubernetes.io/hostname': 'd1' } });
    const control = await berth.startControl();
    await berth.startScheduler(control);
    agent = await berth.startHollowAgent('d1');
    disks = new HollowPool(berth, kube, 'd1');
    await declare({ devices: { paths: [blank, foreign] } });
    await kube.create(storageClass('parts', { pool: 'parts' }));
    await berth.poolsReported('parts', ['d1']);
  });

  after(async () => {
    await cluster?.stop();
    await media?.cleanUp();
  });

  const declare = (spec: object): Promise<void> =>
    kube.create({
      ...{ apiVersion: 'berth.dev/v1alpha1', kind: 'StoragePool', metadata: { name: 'parts' } },
      spec: { nodeSelector: {}, backend: 'partition', ...spec },
    });

  const change = async (spec: object): Promise<void> => {
    await cluster.api.patch(`${path}/parts`, { spec });
  };

  /** What the node says of one disk of the pool. */
  const diskOf = async (device: string) => {
    const { status } = await kube.get<StorageNodeObject>('StorageNode', 'd1');
    const pool = status?.pools?.find(({ name }) => name === 'parts');
    return pool?.disks?.find((one) => one.path === device);
  };

  const condition = async (type: string) => {
    const { status } = await kube.get<StoragePoolObject>('StoragePool', 'parts');
    return status?.conditions?.find((each) => each.type === type);
  };

  const untilCondition = (type: string, status: 'True' | 'False') =>
    waitFor(
      `${type} to be ${status}`,
      async () => {
        const found = await condition(type);
        return found?.status === status ? found : undefined;
      },
      { ...soon, explain: async () => JSON.stringify(await condition(type)) },
    );

  const free = async (): Promise<number> => (await kube.report('d1', 'parts'))?.free ?? -1;

  async function run(name: string, size: string): Promise<string> {
    await kube.create(claim(name, 'parts', size));
    await kube.create(pod(name, { claims: [name], schedulerName }));
    await kube.nodeOf(name);
    return (await kube.volumeOf(name)).metadata?.name ?? '';
  }

  it('takes the blank disk, and says of the other why it is left as it is', async () => {
    const before = await media.content(foreign);
    const refused = await untilCondition('DisksRefused', 'True');

    expect(refused?.message).to.include(foreign).and.include('ext4');
    expect(await diskOf(blank)).to.include({ state: 'used' });
    expect((await diskOf(foreign))?.state).to.equal('refused');
    expect((await media.content(foreign)).equals(before)).to.equal(true);
  });

  it('cuts partitions for pods, and takes them back', async () => {
    const all = await free();
    const volume = await run('one', '10Mi');
    expect((await disks.device(volume)).startsWith(`${blank}p`)).to.equal(true);
    await disks.freeIs('parts', all - 10 * MiB);

    await disks.release('one');
    await kube.noVolumesLeft();
    await disks.freeIs('parts', all);
  });

  // Letting go of disks is tested with the backend: loop devices that are not selected are left alone.
  it('grows by a disk that becomes blank', async () => {
    const all = await free();
    await runCommand('wipefs', ['--all', '--quiet', foreign]);
    await runCommand('blkdiscard', ['--zeroout', '--force', foreign]);
    // Where udev runs it tells that something was taken off a disk.
    await change({ devices: { paths: [blank, foreign], minSize: '1Mi' } });
    await untilCondition('DisksRefused', 'False');
    await waitFor('the second disk to count', async () => (await free()) > all, soon);
    expect(await diskOf(foreign)).to.include({ state: 'used' });
  });

  it('keeps its reserve back, and holds no more volumes than it may', async () => {
    const all = await free();
    await change({ reserve: '20Mi', maxVolumes: 2 });
    await disks.freeIs('parts', all - 20 * MiB);
    await run('first', '5Mi');
    await run('second', '5Mi');
    await disks.freeIs('parts', 0);
    await kube.create(claim('third', 'parts', '1Mi'));
    await kube.create(pod('third', { claims: ['third'], schedulerName }));

    expect(await kube.event('third', 'FailedScheduling')).to.include('free in pool parts');
    await change({ maxVolumes: 3 });
    expect(await kube.nodeOf('third')).to.equal('d1');
    for (const name of ['first', 'second', 'third']) {
      await disks.release(name);
    }
    await kube.noVolumesLeft();
    await change({ reserve: null, maxVolumes: null });
    await disks.freeIs('parts', all);
  });

  it('keeps its volumes through the death of its agent', async () => {
    const volume = await run('lasting', '10Mi');
    await disks.write(volume, 'lasting');
    await agent.program.kill();
    agent = await berth.startHollowAgent('d1');
    await berth.poolsReported('parts', ['d1']);

    expect(await disks.read(volume, 7)).to.equal('lasting');
    await disks.release('lasting');
    await kube.noVolumesLeft();
  });

  it('does not give one disk to two pools', async () => {
    await kube.create({
      ...{ apiVersion: 'berth.dev/v1alpha1', kind: 'StoragePool', metadata: { name: 'other' } },
      spec: { nodeSelector: {}, backend: 'device', devices: { paths: [blank] } },
    });
    const told = await waitFor(
      'the other pool to be told',
      async () => {
        const { status } = await kube.get<StoragePoolObject>('StoragePool', 'other');
        return status?.conditions?.find((each) => each.type === 'DisksRefused')?.message;
      },
      soon,
    );

    expect(told).to.include('pool parts');
    expect(await diskOf(blank)).to.include({ state: 'used' });
    await kube.delete('StoragePool', 'other');
  });
});
