import { expect } from 'chai';

import type { Cluster } from '../cluster/cluster.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { waitFor } from '../cluster/wait.ts';
import type { LocalVolumeObject } from '../../src/kube/custom-objects.ts';
import type { Lease, PersistentVolume } from '../../src/kube/objects.ts';
import { Installation } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import { claim, MiB, pod, storageClass, storagePool } from '../support/objects.ts';

const schedulerName = 'berth-scheduler';
/** Two pods as the manifests make them: a kube-scheduler each, and a control beside it. */
describe('two replicas', function () {
  this.timeout(240_000);
  let cluster: Cluster;
  let berth: Installation;
  let kube: Kube;
  const nodes = ['r1', 'r2', 'r3'];
  const replicas = ['1', '2'];
  const size = 100;

  before(async () => {
    cluster = await startCluster();
    kube = new Kube(cluster);
    berth = await Installation.on(cluster);
    await cluster.addHollowNodes(nodes);
    for (const replica of replicas) {
      const control = await berth.startControl({ name: `control-${replica}` });
      await berth.startElectedScheduler(control, replica);
    }
    await Promise.all(nodes.map((node) => berth.startHollowAgent(node)));
    await kube.create(storagePool('pair', `${size}Mi`));
    await kube.create(storageClass('pair', { pool: 'pair' }));
    await berth.poolsReported('pair', nodes);
  });

  after(async () => {
    await cluster.stop();
  });

  /** The holder of control's Lease says in its own log who it is. */
  async function controlThatLeads(): Promise<string | undefined> {
    const path = '/apis/coordination.k8s.io/v1/namespaces/berth-system/leases/berth-control';
    const { spec } = await cluster.api.request<Lease>('GET', path);
    const holder = spec?.holderIdentity;
    return holder ? replicas.find((one) => logOf(`control-${one}`).includes(holder)) : undefined;
  }

  /** The one that took the Lease last; its log says when. */
  function schedulerThatLeads(): string | undefined {
    const taken = replicas.map((replica) => {
      const lines = logOf(`scheduler-${replica}`).split('\n');
      // After the letter of its level a line begins with its time.
      return lines.findLast((line) => /successfully acquired lease/i.test(line))?.slice(1) ?? '';
    });
    const last = taken.toSorted().at(-1) ?? '';
    return last === '' ? undefined : replicas[taken.indexOf(last)];
  }

  function logOf(role: string): string {
    return cluster.program(role).tail(100_000);
  }

  async function start(names: readonly string[]): Promise<void> {
    for (const name of names) {
      await kube.create(claim(name, 'pair', '8Mi'));
      await kube.create(pod(name, { claims: [name], schedulerName }));
    }
  }

  /** Every pod has its node and its one volume there, and no pool gave out more than it has. */
  async function allWell(names: readonly string[]): Promise<void> {
    const where = await Promise.all(names.map((name) => kube.nodeOf(name, 120_000)));
    const volumes = await Promise.all(names.map((name) => kube.volumeOf(name, 60_000)));
    volumes.forEach((one, i) => {
      expect(JSON.stringify(one.spec?.nodeAffinity)).to.contain(where[i]);
    });
    const local = await kube.list<LocalVolumeObject>('LocalVolume');
    const persistent = await kube.list<PersistentVolume>('PersistentVolume');
    expect(local).to.have.lengthOf(names.length);
    expect(persistent).to.have.lengthOf(names.length);
    for (const node of nodes) {
      const here = local.filter(({ spec }) => spec.node === node);
      const given = here.reduce((sum, { status }) => sum + (status?.allocatedBytes ?? 0), 0);
      expect(given).to.be.at.most(size * MiB);
    }
  }

  const numbered = (prefix: string, count: number): string[] =>
    Array.from({ length: count }, (_, i) => `${prefix}-${i}`);

  it('go on when the leading scheduler is killed while pods arrive', async () => {
    const names = numbered('failover', 24);
    const leader = await schedulerLeader();
    await start(names.slice(0, 12));

    await cluster.kill(`scheduler-${leader}`);
    await start(names.slice(12));

    await allWell(names);
    await cluster.restart(`scheduler-${leader}`);
    await kube.clearAway({ pair: nodes });
  });

  it('book nothing twice when control is killed beside the scheduler that asks it', async () => {
    const names = numbered('killed', 24);
    const leader = await schedulerLeader();
    await start(names.slice(0, 12));

    await cluster.kill(`control-${leader}`);
    await start(names.slice(12));
    await cluster.restart(`control-${leader}`);

    await allWell(names);
    await kube.clearAway({ pair: nodes });
  });

  it('do no harm when one sleeps in the middle of its binds, loses its Leases, and goes on', async () => {
    const names = numbered('asleep', 24);
    const leader = await schedulerLeader();
    const other = replicas.find((replica) => replica !== leader) ?? '';
    await start(names);
    await waitFor('binds to be under way', someVolumes, { timeoutMs: 60_000, intervalMs: 5 });
    const asleep = [`control-${leader}`, `scheduler-${leader}`];
    asleep.forEach((role) => cluster.pause(role));
    await waitFor(
      'the other replica to lead in all',
      async () => schedulerThatLeads() === other && (await controlThatLeads()) === other,
      { timeoutMs: 90_000, intervalMs: 500 },
    );
    asleep.forEach((role) => cluster.resume(role));

    await allWell(names);
    await waitFor(
      'the one that slept to have given up its Lease',
      () => !isLeading(leader) && isLeading(other),
      { timeoutMs: 30_000 },
    );
    await kube.clearAway({ pair: nodes });
  });

  /** What control itself last said of its loops. */
  function isLeading(replica: string): boolean {
    const lines = logOf(`control-${replica}`).split('\n');
    const last = lines.findLast((line) => /"event":"(leading|no longer leading)"/.test(line));
    return last?.includes('"event":"leading"') === true;
  }

  async function someVolumes(): Promise<boolean> {
    return (await kube.list<LocalVolumeObject>('LocalVolume')).length >= 3;
  }

  async function schedulerLeader(): Promise<string> {
    return waitFor('a scheduler to lead', schedulerThatLeads, { timeoutMs: 60_000 });
  }
});
