import { expect } from 'chai';

import type { Cluster } from '../cluster/cluster.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { Installation, type ControlRole } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import { claim, pod, storageClass, storagePool } from '../support/objects.ts';

const schedulerName = 'berth-scheduler';

describe('placement on a real control plane', () => {
  let cluster: Cluster;
  let berth: Installation;
  let control: ControlRole;
  let kube: Kube;
  const nodes = ['big', 'small-1', 'small-2'];

  before(async function () {
    this.timeout(120_000);
    cluster = await startCluster();
    kube = new Kube(cluster);
    berth = await Installation.on(cluster);
    await cluster.addHollowNodes(nodes, {
      labels: (name) => ({ 'kubernetes.io/hostname': name, size: name.split('-')[0] ?? '' }),
    });
    control = await berth.startControl();
    await berth.startScheduler(control);
    await Promise.all(nodes.map((node) => berth.startHollowAgent(node)));
  });

  after(async function () {
    this.timeout(60_000);
    await cluster.stop();
  });

  it('steers claims to the node with room, and says what a waiting pod lacks', async function () {
    this.timeout(60_000);
    await kube.create(storagePool('steer', '19Mi', { size: 'big' }));
    await kube.create(storagePool('steer-small', '5Mi', { size: 'small' }));
    await kube.create(storageClass('steer', { pool: 'steer' }));
    await berth.poolsReported('steer', ['big']);
    await kube.create(claim('first', 'steer', '8Mi'));
    await kube.create(pod('first', { claims: ['first'], schedulerName }));

    expect(await kube.nodeOf('first')).to.equal('big');
    const volume = await kube.volumeOf('first');
    expect(volume.spec?.capacity).to.deep.equal({ storage: '8Mi' });
  });
});
