import { expect } from 'chai';

import type { Cluster } from '../cluster/cluster.ts';
import { defaultSchedulerConfig } from '../cluster/scheduler.ts';
import { waitFor } from '../cluster/wait.ts';
import type { LocalVolumeObject } from '../../src/kube/custom-objects.ts';
import type { Pod } from '../../src/kube/objects.ts';
import { startEphemeralCluster } from '../support/ephemeral-cluster.ts';
import { Installation } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import { claim, pod, storageClass, storagePool } from '../support/objects.ts';

/** Every mixture of volumes that a pod may have, with the webhook and both schedulers. */
describe('pods with several volumes on a real control plane', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let berth: Installation;
  let kube: Kube;
  const nodes = ['m1', 'm2', 'm3'];
  const pools = { left: nodes, right: nodes };

  before(async () => {
    cluster = await startEphemeralCluster();
    kube = new Kube(cluster);
    berth = await Installation.on(cluster);
    await cluster.addHollowNodes(nodes);
    const control = await berth.startControl();
    await berth.startScheduler(control);
    const config = defaultSchedulerConfig(cluster.version);
    await cluster.startScheduler({ name: 'default', config, format: 'component' });
    await Promise.all(nodes.map((node) => berth.startHollowAgent(node)));
    await berth.startWebhook();
    for (const pool of ['left', 'right']) {
      await kube.create(storagePool(pool, '100Mi'));
      await kube.create(storageClass(pool, { pool }));
      await berth.poolsReported(pool, nodes);
    }
    await kube.create({
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: 'by-hand' },
      provisioner: 'kubernetes.io/no-provisioner',
      volumeBindingMode: 'WaitForFirstConsumer',
    });
  });

  afterEach(async () => {
    const volumes = await kube.list<{
      metadata: { name: string };
      spec: { storageClassName: string };
    }>('PersistentVolume');
    const byHand = volumes.filter(({ spec }) => spec.storageClassName === 'by-hand');
    for (const kind of ['Pod', 'PersistentVolumeClaim']) {
      const objects = await kube.list<{ metadata: { name: string } }>(kind);
      await kube.delete(kind, ...objects.map(({ metadata }) => metadata.name));
    }
    await kube.delete('PersistentVolume', ...byHand.map(({ metadata }) => metadata.name));
    await kube.clearAway(pools);
  });

  after(async () => {
    await cluster.stop();
  });

  async function nodesOfVolumes(): Promise<string[]> {
    return (await kube.list<LocalVolumeObject>('LocalVolume')).map(({ spec }) => spec.node);
  }

  async function schedulerOf(name: string): Promise<string | undefined> {
    return (await kube.get<Pod>('Pod', name)).spec?.schedulerName;
  }

  /** A volume that an administrator has made, on one node. */
  function volumeByHand(name: string, node: string): object {
    return {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name },
      spec: {
        capacity: { storage: '10Mi' },
        accessModes: ['ReadWriteOnce'],
        persistentVolumeReclaimPolicy: 'Retain',
        storageClassName: 'by-hand',
        local: { path: `/mnt/${name}` },
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [
              {
                matchExpressions: [
                  { key: 'kubernetes.io/hostname', operator: 'In', values: [node] },
                ],
              },
            ],
          },
        },
      },
    };
  }

  it('puts new volumes beside the one that a pod has already, or nothing at all', async () => {
    await kube.create(claim('old', 'left', '40Mi'));
    await kube.create(pod('one', { claims: ['old'] }));
    const home = await kube.nodeOf('one');
    await kube.volumeOf('old');
    await kube.delete('Pod', 'one');
    await kube.createAll([claim('more', 'left', '40Mi'), claim('other', 'right', '40Mi')]);

    await kube.create(pod('two', { claims: ['old', 'more', 'other'] }));
    expect(await kube.nodeOf('two')).to.equal(home);
    expect(await nodesOfVolumes()).to.deep.equal([home, home, home]);

    await kube.createAll([claim('huge', 'right', '90Mi'), claim('tiny', 'left', '1Mi')]);
    await kube.create(pod('three', { claims: ['old', 'huge', 'tiny'] }));
    expect(await kube.event('three', 'BerthNoRoom')).to.contain('needs 90Mi in pool right');
    expect(await nodesOfVolumes()).to.have.lengthOf(3);
  });

  it('makes the claims of generic ephemeral volumes together with the named ones', async () => {
    await kube.create(claim('named', 'left', '8Mi'));
    const ephemeral = {
      a: { className: 'left', size: '8Mi' },
      b: { className: 'right', size: '8Mi' },
    };
    await kube.create(pod('mixed', { claims: ['named'], ephemeral }));

    const node = await kube.nodeOf('mixed');

    expect(await schedulerOf('mixed')).to.equal('berth-scheduler');
    expect(await nodesOfVolumes()).to.deep.equal([node, node, node]);
    await kube.delete('Pod', 'mixed');
    await waitFor(
      'the ephemeral ones to go with their pod',
      async () => (await nodesOfVolumes()).length === 1,
      { timeoutMs: 30_000 },
    );
  });

  it('brings pods that share a claim to one node, at whatever moment they come', async () => {
    await kube.create(claim('shared', 'left', '8Mi'));
    await kube.create(claim('own', 'right', '8Mi'));

    await kube.createAll([
      pod('first', { claims: ['shared'] }),
      pod('second', { claims: ['shared', 'own'] }),
    ]);

    const node = await kube.nodeOf('first');
    expect(await kube.nodeOf('second', 60_000)).to.equal(node);
    expect(await nodesOfVolumes()).to.deep.equal([node, node]);
  });

  it('follows a bound volume of another provisioner', async () => {
    await kube.create(volumeByHand('fixed', 'm3'));
    await kube.create({ ...claim('foreign', 'by-hand', '10Mi') });
    await cluster.api.patch('/api/v1/persistentvolumes/fixed', {
      spec: { claimRef: { namespace: 'default', name: 'foreign' } },
    });
    await kube.volumeOf('foreign');
    await kube.create(claim('ours', 'left', '8Mi'));
    await kube.create(pod('bound', { claims: ['foreign', 'ours'] }));

    expect(await kube.nodeOf('bound')).to.equal('m3');
    expect(await schedulerOf('bound')).to.equal('berth-scheduler');
    expect(await nodesOfVolumes()).to.deep.equal(['m3']);
  });

  it('leaves a pod with an unbound claim of another provisioner to who can provide that', async () => {
    await kube.create(volumeByHand('free', 'm2'));
    await kube.createAll([claim('foreign', 'by-hand', '10Mi'), claim('ours', 'left', '8Mi')]);
    await kube.create(pod('unbound', { claims: ['foreign', 'ours'] }));

    expect(await kube.nodeOf('unbound', 60_000)).to.equal('m2');
    expect(await schedulerOf('unbound')).to.equal('default-scheduler');
    expect(await nodesOfVolumes()).to.deep.equal(['m2']);
    expect((await kube.volumeOf('foreign')).metadata?.name).to.equal('free');
  });
});
