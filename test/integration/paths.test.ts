import { expect } from 'chai';

import type { Cluster } from '../cluster/cluster.ts';
import { defaultSchedulerConfig } from '../cluster/scheduler.ts';
import { waitFor } from '../cluster/wait.ts';
import type { LocalVolumeObject } from '../../src/kube/custom-objects.ts';
import type { PersistentVolumeClaim, Pod } from '../../src/kube/objects.ts';
import { selectedNodeAnnotation } from '../../src/model/names.ts';
import { startEphemeralCluster } from '../support/ephemeral-cluster.ts';
import { Installation, type ControlRole } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import { claim, MiB, pod, storageClass, storagePool } from '../support/objects.ts';

const ours = 'berth-scheduler';

/** No webhook sends any pod anywhere here: every pod takes the way that its spec says. */
describe('ways around the extender', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let berth: Installation;
  let control: ControlRole;
  let kube: Kube;
  const nodes = ['w1', 'w2'];

  before(async () => {
    cluster = await startEphemeralCluster();
    kube = new Kube(cluster);
    berth = await Installation.on(cluster);
    await cluster.addHollowNodes(nodes);
    control = await berth.startControl();
    await berth.startScheduler(control);
    const config = defaultSchedulerConfig(cluster.version);
    const flags = cluster.version.minor > 20 ? [] : ['--feature-gates=GenericEphemeralVolume=true'];
    await cluster.startScheduler({ name: 'default', config, format: 'component', flags });
    await Promise.all(nodes.map((node) => berth.startHollowAgent(node)));
    await kube.create(storagePool('way', '100Mi'));
    await kube.create(storageClass('way', { pool: 'way' }));
    await berth.poolsReported('way', nodes);
    // Somebody will have missed this one at the end of the suite.
    await use('forgotten', '1Mi', { schedulerName: 'no-such-scheduler' });
  });

  after(async () => {
    await cluster.stop();
  });

  async function use(
    name: string,
    size: string,
    options: Parameters<typeof pod>[1],
  ): Promise<void> {
    await kube.create(claim(name, 'way', size));
    await kube.create(pod(name, { claims: [name], ...options }));
  }

  /** All pods but the forgotten one, which has no volume. */
  async function clear(): Promise<void> {
    const pods = await kube.list<Pod>('Pod');
    const names = pods.map(({ metadata }) => metadata?.name ?? '');
    await kube.delete('Pod', ...names.filter((name) => name !== 'forgotten'));
    const claims = await kube.list<PersistentVolumeClaim>('PersistentVolumeClaim');
    const used = claims.map(({ metadata }) => metadata?.name ?? '');
    await kube.delete('PersistentVolumeClaim', ...used.filter((name) => name !== 'forgotten'));
    await kube.noVolumesLeft(60_000);
  }

  async function cordon(node: string, unschedulable: boolean): Promise<void> {
    await cluster.api.patch(`/api/v1/nodes/${node}`, { spec: { unschedulable } });
  }

  async function end(...names: string[]): Promise<void> {
    await kube.delete('Pod', ...names);
    await kube.delete('PersistentVolumeClaim', ...names);
    await waitFor(
      'their volumes to be gone',
      async () =>
        (await kube.list<LocalVolumeObject>('LocalVolume')).every(
          ({ spec }) => !names.includes(spec.claimRef.name),
        ),
      { timeoutMs: 30_000 },
    );
  }

  it('provides for a scheduler that waits for volumes itself', async () => {
    await use('plain', '8Mi', {});

    const node = await kube.nodeOf('plain', 30_000);

    const volume = await kube.volumeOf('plain');
    expect(JSON.stringify(volume.spec?.nodeAffinity)).to.contain(node);
    await end('plain');
  });

  it('takes the choice of a full node back with an event, and the pod goes elsewhere', async () => {
    await use('filler', '80Mi', { spec: { nodeName: 'w1' } });
    await kube.volumeOf('filler');
    await cordon('w2', true);
    await use('steered', '50Mi', {});

    expect(await kube.event('steered', 'BerthProvisioningFailed')).to.match(
      /on node w1: node w1: pool way has .* free, .* are needed/,
    );
    await cordon('w1', true);
    await waitFor('the choice to be taken back', async () => !(await chosenFor('steered')), {
      timeoutMs: 20_000,
    });
    await cordon('w2', false);

    expect(await kube.nodeOf('steered', 60_000)).to.equal('w2');
    await kube.volumeOf('steered');
    await cordon('w1', false);
    await end('filler', 'steered');
  });

  async function chosenFor(name: string): Promise<string | undefined> {
    const { metadata } = await kube.get<PersistentVolumeClaim>('PersistentVolumeClaim', name);
    return metadata?.annotations?.[selectedNodeAnnotation];
  }

  it('provides for a pod that names its node, as soon as there is room', async () => {
    await use('first', '80Mi', { spec: { nodeName: 'w1' } });
    await kube.volumeOf('first');
    await use('second', '80Mi', { spec: { nodeName: 'w1' } });

    expect(await kube.event('second', 'BerthProvisioningFailed')).to.contain('pool way has');
    await end('first');

    await kube.volumeOf('second', 30_000);
    await end('second');
  });

  it('gives each pod of a DaemonSet a volume on its node', async () => {
    const ephemeral = { tmp: { className: 'way', size: '8Mi' } };
    for (const [name, schedulerName] of [
      ['by-extender', ours],
      ['by-default', 'default-scheduler'],
    ] as const) {
      const labels = { app: name };
      const template = pod(name, { ephemeral, labels, schedulerName }) as { spec: object };
      await kube.create({
        apiVersion: 'apps/v1',
        kind: 'DaemonSet',
        metadata: { name },
        spec: {
          selector: { matchLabels: labels },
          template: {
            metadata: { labels },
            spec: { ...template.spec, terminationGracePeriodSeconds: 0 },
          },
        },
      });

      await waitFor(
        `a volume of ${name} on every node`,
        async () => {
          const pods = (await kube.list<Pod>('Pod')).filter(({ metadata }) =>
            metadata?.name?.startsWith(name),
          );
          const volumes = await kube.list<LocalVolumeObject>('LocalVolume');
          const on = pods.flatMap(({ metadata, spec }) =>
            volumes
              .filter((one) => one.spec.claimRef.name === `${metadata?.name ?? ''}-tmp`)
              .filter((one) => one.spec.node === spec?.nodeName)
              .map((one) => one.spec.node),
          );
          return on.sort().join() === nodes.join();
        },
        { timeoutMs: 30_000 },
      );
      await kube.delete('DaemonSet', name);
    }
    await clear();
  });

  it('gives out no byte twice when pods come by all ways at once, and tells each that waits why', async () => {
    const ways = [{ schedulerName: ours }, {}, { spec: { nodeName: 'w1' } }] as const;
    const names = ways.flatMap((_, way) => [0, 1, 2].map((i) => `way${way}-${i}`));

    await Promise.all(names.map((name) => use(name, '30Mi', ways[Number(name[3])] ?? {})));

    // Three of 30 Mi fit on each node. Nothing says that a node is full before it is.
    await waitFor('six volumes', async () => (await volumes()).length === 6, { timeoutMs: 90_000 });
    const sum = new Map<string, number>();
    for (const { spec, status } of await volumes()) {
      sum.set(spec.node, (sum.get(spec.node) ?? 0) + (status?.allocatedBytes ?? spec.bytes));
    }
    sum.forEach((bytes) => expect(bytes).to.be.at.most(100 * MiB));
    const placed = new Set((await volumes()).map(({ spec }) => spec.claimRef.name));
    for (const name of names.filter((one) => !placed.has(one))) {
      const reasons = ['BerthNoRoom', 'BerthBindFailed', 'BerthProvisioningFailed'];
      await waitFor(
        `an event that says why ${name} waits`,
        async () =>
          (await kube.events(name)).some(
            ({ reason = '', message = '' }) => reasons.includes(reason) && message.includes('way'),
          ),
        { timeoutMs: 30_000, explain: () => kube.eventTexts(name) },
      );
    }
    await clear();
  });

  async function volumes(): Promise<LocalVolumeObject[]> {
    return kube.list<LocalVolumeObject>('LocalVolume');
  }

  it('provides for a scheduler of our name that does not ask the extender', async () => {
    await cluster.kill('scheduler-berth');
    const usual = defaultSchedulerConfig(cluster.version);
    const config = `${usual}profiles:\n  - schedulerName: ${ours}\n`;
    const bare = await cluster.startScheduler({ name: 'bare', config, format: 'component' });

    await use('unasked', '8Mi', { schedulerName: ours });

    await kube.nodeOf('unasked', 30_000);
    await kube.volumeOf('unasked');
    await bare.stop();
    await cluster.restart('scheduler-berth');
    await end('unasked');
  });

  it('says so where control is not there, and goes on when it is back', async () => {
    await control.program.kill();
    await use('orphaned', '8Mi', { schedulerName: ours });

    expect(await kube.event('orphaned', 'FailedScheduling')).to.contain('connection refused');
    await control.program.start();
    await cluster.api.patch('/api/v1/namespaces/default/pods/orphaned', {
      metadata: { annotations: { touched: 'yes' } },
    });

    await kube.nodeOf('orphaned', 60_000);
    await end('orphaned');
  });

  it('says of a pod whose scheduler does not run that nobody looks at it', async () => {
    expect(await kube.event('forgotten', 'BerthNotScheduled', 60_000)).to.contain(
      'serves schedulerName no-such-scheduler',
    );
    expect((await kube.events('unasked')).map(({ reason }) => reason)).to.not.include(
      'BerthNotScheduled',
    );
  });
});
