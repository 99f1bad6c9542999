import { expect } from 'chai';

import type { Cluster } from '../cluster/cluster.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { waitFor } from '../cluster/wait.ts';
import type { KubeEvent, PersistentVolumeClaim, Pod } from '../../src/kube/objects.ts';
import { Installation, type ControlRole } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import { claim, pod, storageClass, storagePool } from '../support/objects.ts';
import { setTimeout as pause } from 'node:timers/promises';

const minute = 60_000;

/** A steady stream of pods with claims, on nodes that are just large enough for those that live. */
describe('pods that arrive all the time', () => {
  let cluster: Cluster;
  let berth: Installation;
  let control: ControlRole;
  let kube: Kube;
  const nodes = ['h1', 'h2', 'h3'];

  before(async function () {
    this.timeout(2 * minute);
    cluster = await startCluster();
    kube = new Kube(cluster);
    berth = await Installation.on(cluster);
    await cluster.addHollowNodes(nodes, {
      labels: (name) => ({ 'kubernetes.io/hostname': name }),
    });
    control = await berth.startControl();
    await berth.startScheduler(control);
    await Promise.all(nodes.map((node) => berth.startHollowAgent(node)));
    await berth.startWebhook();
    await kube.create(storagePool('stream', '100Mi'));
    await kube.create(storageClass('stream', { pool: 'stream' }));
    await berth.poolsReported('stream', nodes);
  });

  after(async () => {
    await cluster.stop();
  });

  for (const perSecond of [2, 3]) {
    it(`places every one of ${perSecond} per second for a minute`, async function () {
      this.timeout(3 * minute);
      const names = Array.from({ length: 60 * perSecond }, (_, i) => `at-${perSecond}-${i}`);
      const lives: Promise<void>[] = [];

      for (const name of names) {
        lives.push(live(name));
        // The rate is the subject here, not a condition that is waited for.
        await pause(1000 / perSecond);
      }
      await Promise.all(lives);
      await kube.noVolumesLeft(minute);

      expect(await failures()).to.deep.equal([]);
      await waitFor('all space to be free', allFree, { timeoutMs: 20_000 });
    });
  }

  it('steers, refuses and wakes as ever while others come and go', async function () {
    this.timeout(3 * minute);
    await kube.create(storagePool('aside', '25Mi', { 'kubernetes.io/hostname': 'h1' }));
    await kube.create(storageClass('aside', { pool: 'aside' }));
    await berth.poolsReported('aside', ['h1']);
    const stop = new AbortController();
    const others = stream(stop.signal);

    await start('one', 'aside', '20Mi');
    expect(await kube.nodeOf('one')).to.equal('h1');
    await start('two', 'aside', '20Mi');
    const reason = await kube.event('two', 'BerthNoRoom');
    await end('one');
    expect(await kube.nodeOf('two')).to.equal('h1');
    await end('two');
    stop.abort();
    await others;

    expect(reason).to.contain(
      'needs 20Mi in pool aside for default/two; nearest: h1 has 4Mi of 25Mi',
    );
    expect(await failures()).to.deep.equal([]);
  });

  /** From the claim to the last trace of it. The pod lives for as long as it takes to be bound. */
  async function live(name: string): Promise<void> {
    await start(name, 'stream', '4Mi');
    await kube.nodeOf(name, minute);
    await kube.volumeOf(name, minute);
    await end(name);
  }

  async function start(name: string, className: string, size: string): Promise<void> {
    await kube.create(claim(name, className, size));
    await kube.create(pod(name, { claims: [name] }));
  }

  async function end(name: string): Promise<void> {
    await kube.delete('Pod', name);
    await kube.delete('PersistentVolumeClaim', name);
  }

  async function stream(signal: AbortSignal): Promise<void> {
    const lives: Promise<void>[] = [];
    for (let i = 0; !signal.aborted; i += 1) {
      lives.push(live(`other-${i}`));
      await pause(400);
    }
    await Promise.all(lives);
  }

  /** What went wrong for any pod, or was not tidied up. */
  async function failures(): Promise<string[]> {
    const { items } = await cluster.api.request<{ items: KubeEvent[] }>(
      'GET',
      '/api/v1/namespaces/default/events',
    );
    const bad = items.filter(({ reason }) => reason === 'BerthBindFailed');
    const pods = await kube.list<Pod>('Pod');
    const claims = await kube.list<PersistentVolumeClaim>('PersistentVolumeClaim');
    const left = [...pods, ...claims].map(({ metadata }) => `${metadata?.name ?? ''} is left`);
    return [...bad.map(({ message }) => message ?? ''), ...left];
  }

  async function allFree(): Promise<boolean> {
    const reports = await Promise.all(nodes.map((node) => kube.report(node, 'stream')));
    return reports.every((report) => report !== undefined && report.free === report.total);
  }
});
