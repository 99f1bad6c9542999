import { expect } from 'chai';
import type { PersistentVolume, PersistentVolumeClaim } from '../../src/kube/objects.ts';
import { agentFinalizer, controlFinalizer } from '../../src/model/names.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { waitFor } from '../cluster/wait.ts';
import { HollowPool } from '../support/hollow-pool.ts';
import { Installation, type Role } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import { needLoopDevices } from '../support/loop-pool.ts';
import { MiB, storageClass, storagePool } from '../support/objects.ts';

const soon = { timeoutMs: 30_000, intervalMs: 20 };
const all = 256 * MiB;

describe('the end of a volume', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let kube: Kube;
  let disks: HollowPool;
  let agent: Role;

  before(async function () {
    needLoopDevices(this);
    cluster = await startCluster();
    kube = new Kube(cluster);
    const berth = await Installation.on(cluster);
    disks = new HollowPool(berth, kube, 'h1');
    await cluster.addHollowNodes(['h1'], { labels: { 'kubernetes.io/hostname': 'h1' } });
    await kube.create(storagePool('fast', '256Mi'));
    for (const erase of ['discard', 'zero', 'none']) {
      await kube.create(storageClass(erase, { pool: 'fast', erase }));
    }
    const retain = storageClass('retain', { pool: 'fast' });
    await kube.create({ ...retain, reclaimPolicy: 'Retain' });
    await berth.startControl();
    agent = await berth.startHollowAgent('h1');
    await berth.poolsReported('fast', ['h1']);
  });

  after(() => cluster?.stop());

  const volumePath = (name: string) => `/apis/berth.dev/v1alpha1/localvolumes/${name}`;

  /** Finalizers of a LocalVolume; one of our own keeps it visible after its end. */
  const setFinalizers = (name: string, finalizers: readonly string[]) =>
    cluster.api.patch(volumePath(name), { metadata: { finalizers } });

  const hold = 'test.berth.dev/hold';

  const allFree = async () => {
    await disks.freeIs('fast', all);
    expect(await disks.images('fast')).to.deep.equal([]);
  };

  const persistentVolume = (name: string) => kube.find<PersistentVolume>('PersistentVolume', name);

  for (const [erase, result] of [
    ['discard', 'punched 5Mi'],
    ['zero', '5Mi overwritten with zeros'],
    ['none', '5Mi left as they are'],
  ] as const) {
    it(`is written down with time and result (${erase})`, async () => {
      const name = await disks.bind('data', erase, '5Mi');
      await setFinalizers(name, [agentFinalizer, controlFinalizer, hold]);
      await disks.release('data');
      const ended = await waitFor(
        'the agent to let go',
        async () => {
          const volume = await disks.localVolume(name);
          return volume?.metadata.finalizers?.join() === hold && volume;
        },
        soon,
      );

      expect(ended.status?.erased).to.include({ policy: erase, result });
      expect(Date.parse(ended.status?.erased?.at ?? '')).to.be.closeTo(Date.now(), 60_000);
      expect(await kube.event(name, 'VolumeErased')).to.equal(`node h1: ${erase}: ${result}`);
      await setFinalizers(name, []);
      await kube.noVolumesLeft();
      await allFree();
    });
  }

  it('comes whatever is killed in the middle of it', async () => {
    const names = ['k1', 'k2', 'k3', 'k4'];
    await Promise.all(names.map((name) => disks.bind(name, 'zero', '20Mi')));
    await Promise.all(names.map((name) => disks.release(name)));
    await waitFor(
      'the first image to go',
      async () => (await disks.images('fast')).length < names.length,
      { ...soon, intervalMs: 1 },
    );
    await agent.program.kill('SIGKILL');
    await agent.program.start();

    await kube.noVolumesLeft();
    await allFree();
  });

  it('waits with Retain until somebody deletes the LocalVolume', async () => {
    const name = await disks.bind('kept', 'retain', '5Mi');
    await disks.write(name, 'kept');
    await disks.release('kept');
    await waitFor(
      'the word Released',
      async () => (await persistentVolume(name))?.status?.phase === 'Released',
      soon,
    );
    await kube.delete('PersistentVolume', name);
    await kube.gone('PersistentVolume', name);

    expect(await disks.read(name, 4)).to.equal('kept');
    expect((await disks.localVolume(name))?.metadata.deletionTimestamp).to.equal(undefined);
    await kube.delete('LocalVolume', name);
    await kube.noVolumesLeft();
    await allFree();
  });

  it('comes when the claim goes while the volume is being made', async () => {
    agent.program.signal('SIGSTOP');
    const name = await disks.ask('hasty', 'discard', '5Mi');
    await waitFor('the volume', () => disks.localVolume(name), soon);
    await disks.release('hasty');
    await kube.gone('PersistentVolumeClaim', 'hasty');
    agent.program.signal('SIGCONT');

    await kube.noVolumesLeft();
    await allFree();
  });

  it('does not come with a PersistentVolume that is deleted by hand, but with its claim', async () => {
    const name = await disks.bind('data', 'discard', '5Mi');
    await disks.write(name, 'in use');
    await kube.delete('PersistentVolume', name);
    await waitFor(
      'the PersistentVolume to be marked',
      async () => (await persistentVolume(name))?.metadata?.deletionTimestamp,
      soon,
    );

    // One that came later and is gone again shows that control has seen the deletion.
    await disks.bind('later', 'discard', '1Mi');
    await disks.release('later');
    await disks.freeIs('fast', all - 6 * MiB);
    expect((await persistentVolume(name))?.status?.phase).to.equal('Bound');
    expect(await disks.read(name, 6)).to.equal('in use');
    await disks.release('data');
    await kube.noVolumesLeft();
    await allFree();
  });

  it('does not come with a PersistentVolume that is torn away, but with its claim', async () => {
    const name = await disks.bind('torn', 'discard', '5Mi');
    await disks.write(name, 'in use');
    await kube.delete('PersistentVolume', name);
    const path = `/api/v1/persistentvolumes/${name}`;
    await cluster.api.patch(path, { metadata: { finalizers: null } });
    await waitFor(
      'the claim to be Lost',
      async () => {
        const { status } = await kube.get<PersistentVolumeClaim>('PersistentVolumeClaim', 'torn');
        return status?.phase === 'Lost';
      },
      soon,
    );

    expect(await disks.read(name, 6)).to.equal('in use');
    await disks.release('torn');
    await kube.noVolumesLeft();
    await allFree();
  });

  it('does not come with a LocalVolume that is deleted by hand, but with its claim', async () => {
    const name = await disks.bind('data', 'discard', '5Mi');
    await disks.write(name, 'in use');
    await kube.delete('LocalVolume', name);

    expect(await kube.event(name, 'BerthVolumeInUse')).to.include('still owns the data');
    expect(await disks.read(name, 6)).to.equal('in use');
    await disks.release('data');
    await kube.noVolumesLeft();
    await allFree();
  });
});
