import { expect } from 'chai';
import { join } from 'node:path';
import type { LocalVolumeObject } from '../../src/kube/custom-objects.ts';
import type { PersistentVolumeClaim } from '../../src/kube/objects.ts';
import { filesystemOn } from '../../src/platform/filesystem-on.ts';
import { runCommand } from '../../src/platform/run-command.ts';
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

describe('the filesystem of a new volume', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let kube: Kube;
  let disks: HollowPool;
  let agent: Role;
  let faults: FaultFolder;

  before(async function () {
    needLoopDevices(this);
    cluster = await startCluster();
    kube = new Kube(cluster);
    faults = new FaultFolder(join(cluster.dir, 'faults'));
    const berth = await Installation.on(cluster);
    disks = new HollowPool(berth, kube, 'h1');
    await cluster.addHollowNodes(['h1'], { labels: { 'kubernetes.io/hostname': 'h1' } });
    await kube.create(storagePool('fast', '64Mi'));
    await kube.create(storageClass('plain', { pool: 'fast' }));
    await kube.create(storageClass('xfs', { pool: 'fast', fsType: 'xfs' }));
    await kube.create(storageClass('made', { pool: 'fast', mkfsOptions: '-I 512 -m 2' }));
    await berth.startControl();
    agent = await berth.startHollowAgent('h1', { env: faults.env });
    await berth.poolsReported('fast', ['h1']);
  });

  after(() => cluster?.stop());

  afterEach(async () => {
    const claims = await kube.list<PersistentVolumeClaim>('PersistentVolumeClaim');
    await Promise.all(claims.map(({ metadata }) => disks.release(metadata?.name ?? '')));
    await kube.noVolumesLeft();
    await disks.freeIs('fast', 64 * MiB);
  });

  const isMade = async (volume: string): Promise<void> => {
    const text = await runCommand('dumpe2fs', ['-h', await disks.device(volume)]);
    expect(text)
      .to.match(/Inode size:\s+512\n/)
      .and.match(/Reserved block count:\s+[1-9]/);
  };

  it('is there when the claim is bound, as its class describes it', async () => {
    const name = await disks.bind('data', 'made', '8Mi');

    await isMade(name);
    const { spec } = await kube.get<LocalVolumeObject>('LocalVolume', name);
    expect(spec.mkfsOptions).to.deep.equal(['-I', '512', '-m', '2']);
  });

  it("is kubelet's to make where the class says nothing", async () => {
    const name = await disks.bind('data', 'plain', '8Mi');

    expect(await filesystemOn(await disks.device(name), runCommand)).to.equal(undefined);
  });

  /** @returns when the agent has ended there */
  const dieAt = (point: string) => {
    faults.arm(point);
    return waitFor(`the end at ${point}`, async () => !agent.program.running, soon);
  };

  for (const point of [
    'create.ensure-image.after',
    'create.attach.after',
    'create.format.before',
    'create.format.after',
    'create.write-status.before',
    'create.write-status.after',
  ]) {
    it(`is there although ${point} is the end of the agent`, async () => {
      const died = dieAt(point);
      const name = await disks.ask('data', 'made', '8Mi');
      await died;
      await agent.program.start();
      await kube.volumeOf('data');

      await isMade(name);
    });
  }

  it('is never an old one that lies where the volume is made', async () => {
    const died = dieAt('create.attach.after');
    const name = await disks.ask('data', 'plain', '8Mi');
    await died;
    const device = await disks.device(name);
    await runCommand('mkfs.ext4', ['-q', '-L', 'old', device]);
    const killed = dieAt('create.blank.before');
    // It ends before it is ready.
    await agent.program.start().catch(() => undefined);
    await killed;
    await agent.program.start();
    await kube.volumeOf('data');

    expect(await filesystemOn(device, runCommand)).to.equal(undefined);
  });

  it('stays what it is once the volume is Ready, whatever starts anew', async () => {
    const name = await disks.bind('data', 'made', '8Mi');
    const device = await disks.device(name);
    const uuid = () => runCommand('blkid', ['-p', '-s', 'UUID', '-o', 'value', device]);
    const before = await uuid();
    await agent.program.stop();
    await agent.program.start();
    await disks.bind('other', 'made', '8Mi');

    expect(await uuid()).to.equal(before);
  });

  it('that mkfs refuses leaves nothing behind, is told in its words, and is made with a better class', async () => {
    await kube.create(storageClass('wrong', { pool: 'fast', mkfsOptions: '-b 1000' }));
    const name = await disks.ask('data', 'wrong', '8Mi');

    expect(await kube.event('data', 'VolumeFailed')).to.include('invalid block size');
    expect(await kube.event('data', 'BerthProvisioningFailed')).to.include('mkfs.ext4 refuses');
    await kube.delete('StorageClass', 'wrong');
    await waitFor(
      'nothing to be left',
      async () =>
        (await disks.localVolume(name)) === undefined && (await disks.images('fast')).length === 0,
      soon,
    );
    await kube.create(storageClass('wrong', { pool: 'fast', mkfsOptions: '-I 512 -m 2' }));
    await kube.volumeOf('data');
    await isMade(name);
  });

  it('needs a size, or nothing is begun', async () => {
    await disks.ask('small', 'xfs', '48Mi');

    const text = await kube.event('small', 'BerthProvisioningFailed');
    expect(text).to.include('default/small').and.include('48Mi').and.include('xfs needs 300Mi');
    expect(await disks.images('fast')).to.deep.equal([]);
  });
});
