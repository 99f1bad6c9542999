import { expect } from 'chai';

import type { Cluster } from '../cluster/cluster.ts';
import type { Program } from '../cluster/program.ts';
import { waitFor } from '../cluster/wait.ts';
import type { Pod } from '../../src/kube/objects.ts';
import { startEphemeralCluster } from '../support/ephemeral-cluster.ts';
import { Installation, type ControlRole } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import { claim, pod, priorityClass, storageClass, storagePool } from '../support/objects.ts';

const schedulerName = 'berth-scheduler';
/** More than half of a node, so that two do not fit: of its CPU, and of its pool. */
const cpu = '10';
const size = '60Mi';

describe('preemption on a real control plane', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let berth: Installation;
  let control: ControlRole;
  let scheduler: Program;
  let kube: Kube;
  const nodes = ['p1', 'p2'];

  before(async () => {
    cluster = await startEphemeralCluster();
    kube = new Kube(cluster);
    berth = await Installation.on(cluster);
    await cluster.addHollowNodes(nodes);
    control = await berth.startControl();
    scheduler = await berth.startScheduler(control);
    await Promise.all(nodes.map((node) => berth.startHollowAgent(node)));
    await kube.createAll([priorityClass('low', 100), priorityClass('high', 1000)]);
    await kube.create(storagePool('tight', '100Mi'));
    await kube.create(storageClass('tight', { pool: 'tight' }));
    await berth.poolsReported('tight', nodes);
  });

  afterEach(() => kube.clearAway({ tight: nodes }));

  after(async () => {
    await cluster.stop();
  });

  /** Fills every node with a pod of low priority whose volume has its own claim, or dies with it. */
  async function fill(kind: 'claim' | 'ephemeral', podCpu: string): Promise<string[]> {
    const names = nodes.map((_, i) => `low-${i}`);
    const spec = { priorityClassName: 'low' };
    for (const name of names) {
      if (kind === 'claim') {
        await kube.create(claim(name, 'tight', size));
        await kube.create(pod(name, { claims: [name], schedulerName, cpu: podCpu, spec }));
      } else {
        const ephemeral = { tmp: { className: 'tight', size } };
        await kube.create(pod(name, { ephemeral, schedulerName, cpu: podCpu, spec }));
      }
    }
    const where = await Promise.all(names.map((name) => kube.nodeOf(name)));
    expect(where.sort()).to.deep.equal(nodes);
    return names;
  }

  async function startHigh(podCpu: string): Promise<void> {
    await kube.create(claim('high', 'tight', size));
    const spec = { priorityClassName: 'high' };
    await kube.create(pod('high', { claims: ['high'], schedulerName, cpu: podCpu, spec }));
  }

  async function left(): Promise<string[]> {
    const pods = await kube.list<Pod>('Pod');
    return pods.map(({ metadata }) => metadata?.name ?? '').sort();
  }

  it('places a pod in the space of one that was evicted, once that is erased', async () => {
    const [low = ''] = await fill('ephemeral', cpu);

    await startHigh(cpu);
    if (!asks()) {
      // The scheduler of this version does not ask whom to evict, so the test is the one who does.
      await kube.event('high', 'FailedScheduling');
      await kube.delete('Pod', low);
    }
    const node = await kube.nodeOf('high', 60_000);

    const pods = await left();
    expect(pods).to.have.lengthOf(2);
    const other = pods.find((name) => name !== 'high') ?? '';
    expect([node, await kube.nodeOf(other)].sort()).to.deep.equal(nodes);
    expect(scheduler.running).to.equal(true);
  });

  for (const kind of ['ephemeral', 'claim'] as const) {
    it(`answers truly where the pods in the way have volumes of kind ${kind}`, async () => {
      const [low = ''] = await fill(kind, cpu);
      await startHigh(cpu);
      await kube.event('high', 'FailedScheduling');
      const { metadata, spec } = await kube.get<Pod>('Pod', low);
      const node = spec?.nodeName ?? '';

      const kept = await preempt(node, metadata?.uid ?? '');

      expect(Object.keys(kept)).to.deep.equal(kind === 'ephemeral' ? [node] : []);
    });
  }

  /** Since 1.22 kube-scheduler asks extenders before it evicts. */
  function asks(): boolean {
    return cluster.version.minor >= 22;
  }

  async function preempt(node: string, uid: string): Promise<object> {
    const body = {
      Pod: await kube.get<Pod>('Pod', 'high'),
      NodeNameToMetaVictims: { [node]: { Pods: [{ UID: uid }], NumPDBViolations: 0 } },
    };
    const answer = await fetch(`${control.verbs}/preempt`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    return ((await answer.json()) as { NodeNameToMetaVictims: object }).NodeNameToMetaVictims;
  }

  it('evicts nobody whose volume would stay, although it would free the CPU', async () => {
    const names = await fill('claim', cpu);

    await startHigh(cpu);
    await kube.event('high', 'FailedScheduling');
    await triedAgain('high');

    expect(await left()).to.deep.equal(['high', ...names]);
    expect(scheduler.running).to.equal(true);
  });

  it('lets the scheduler live where only space lacks and no victim is found', async () => {
    const names = await fill('claim', '1');

    await startHigh('1');
    expect(await kube.event('high', 'BerthNoRoom')).to.contain(`needs ${size} in pool tight`);
    await triedAgain('high');

    expect(await left()).to.deep.equal(['high', ...names]);
    expect(scheduler.running).to.equal(true);
    await kube.create(pod('after', { schedulerName }));
    expect(nodes).to.include(await kube.nodeOf('after'));
  });

  it('is left out of our profile where the scheduler does not ask: 1.20 would panic', async () => {
    const config = await berth.schedulerConfig(['--extender-url', control.verbs]);
    expect(config.includes('DefaultPreemption')).to.equal(!asks());
    if (cluster.version.minor > 20) {
      return;
    }
    await fill('claim', '1');
    await cluster.kill('scheduler-berth');
    const bare = await cluster.startScheduler({
      name: 'bare',
      config: config.replace(/ +postFilter:\n +disabled:\n +- name: DefaultPreemption\n/, ''),
      format: 'component',
    });

    await startHigh('1');

    await waitFor('the scheduler to panic', () => !bare.running, { timeoutMs: 30_000 });
    expect(bare.tail(80)).to.match(/panic|goroutine/);
    await cluster.restart('scheduler-berth');
  });

  /** Waits until the scheduler has refused the pod at least twice. */
  async function triedAgain(name: string): Promise<void> {
    const path = `/api/v1/namespaces/default/pods/${name}`;
    const before = await tries(name);
    await cluster.api.patch(path, { metadata: { annotations: { touched: 'yes' } } });
    await waitFor('another try', async () => (await tries(name)) > before, { timeoutMs: 30_000 });
  }

  async function tries(name: string): Promise<number> {
    const events = await kube.events(name);
    const failed = events.filter(({ reason }) => reason === 'FailedScheduling');
    // Old versions count in the series of the event, or in `count`.
    return failed.reduce((sum, { count, series }) => sum + (series?.count ?? count ?? 1), 0);
  }
});
