import { setTimeout as pause } from 'node:timers/promises';

import { expect } from 'chai';

import type { Cluster } from '../cluster/cluster.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { waitFor } from '../cluster/wait.ts';
import type { LocalVolumeObject } from '../../src/kube/custom-objects.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../src/kube/objects.ts';
import { Installation, type ControlRole } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import { claim, pod, storageClass, storagePool } from '../support/objects.ts';

/** The test is the scheduler of these pods. */
const byHand = 'nobody';

/** `/bind` as an impatient, forgetful or doubled scheduler calls it, with other pods beside. */
describe('the bind verb of a real control', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let berth: Installation;
  let first: ControlRole;
  let second: ControlRole;
  let kube: Kube;
  const nodes = ['b1', 'b2'];
  let stream: AbortController;
  let others: Promise<number>;

  before(async () => {
    cluster = await startCluster();
    kube = new Kube(cluster);
    berth = await Installation.on(cluster);
    await cluster.addHollowNodes(nodes);
    first = await berth.startControl({ name: 'control-1' });
    second = await berth.startControl({ name: 'control-2' });
    await berth.startScheduler(first);
    await Promise.all(nodes.map((node) => berth.startHollowAgent(node)));
    await kube.create(storagePool('verb', '200Mi'));
    await kube.create(storageClass('verb', { pool: 'verb' }));
    await berth.poolsReported('verb', nodes);
    stream = new AbortController();
    others = comeAndGo(stream.signal);
  });

  after(async () => {
    await cluster.stop();
  });

  async function given(name: string): Promise<string> {
    await kube.create(claim(name, 'verb', '8Mi'));
    return givenPod(name);
  }

  async function givenPod(name: string): Promise<string> {
    await kube.create(pod(name, { claims: [name], schedulerName: byHand }));
    return (await kube.get<Pod>('Pod', name)).metadata?.uid ?? '';
  }

  /** What the verb answers: empty where the pod was bound. */
  async function bind(
    name: string,
    uid: string,
    {
      node = 'b1',
      by = first,
      signal,
    }: { node?: string; by?: ControlRole; signal?: AbortSignal } = {},
  ): Promise<string> {
    const body = { PodName: name, PodNamespace: 'default', PodUID: uid, Node: node };
    const answer = await fetch(`${by.verbs}/bind`, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: signal ?? null,
    });
    return ((await answer.json()) as { Error: string }).Error;
  }

  async function volumesOf(name: string): Promise<LocalVolumeObject[]> {
    const all = await kube.list<LocalVolumeObject>('LocalVolume');
    return all.filter(({ spec }) => spec.claimRef.name === name);
  }

  /** Resolves once the bind has come as far as waiting for the agent. */
  async function begun(name: string): Promise<void> {
    await waitFor('the bind to have begun', async () => (await volumesOf(name)).length > 0, {
      timeoutMs: 10_000,
    });
  }

  /** Holds every bind to that node at its middle. */
  async function whileAgentSleeps(node: string, work: () => Promise<void>): Promise<void> {
    cluster.pause(`agent-${node}`);
    try {
      await work();
    } finally {
      cluster.resume(`agent-${node}`);
    }
  }

  it('is done once, however often it is called, at once and afterwards', async () => {
    const uid = await given('often');

    const answers = await Promise.all([
      bind('often', uid),
      bind('often', uid),
      bind('often', uid, { by: second }),
    ]);
    answers.push(await bind('often', uid));

    expect(answers).to.deep.equal(['', '', '', '']);
    expect(await kube.nodeNameOf('often')).to.equal('b1');
    expect(await volumesOf('often')).to.have.lengthOf(1);
  });

  it('goes on when nobody waits for the answer any more, and the next call finds it done', async () => {
    const uid = await given('late');
    const impatient = new AbortController();
    await whileAgentSleeps('b1', async () => {
      const asked = bind('late', uid, { signal: impatient.signal }).catch(() => 'given up');
      await begun('late');
      impatient.abort();
      expect(await asked).to.equal('given up');
    });

    expect(await kube.nodeOf('late')).to.equal('b1');
    expect(await bind('late', uid)).to.equal('');
    expect(await bind('late', uid, { node: 'b2' })).to.contain('runs on node b1 already');
  });

  for (const by of ['one', 'two']) {
    it(`binds to one of two nodes that ${by} of the replicas are asked for at once`, async () => {
      const name = `torn-${by}`;
      const uid = await given(name);

      const answers = await Promise.all([
        bind(name, uid, { node: 'b1' }),
        bind(name, uid, { node: 'b2', by: by === 'one' ? first : second }),
      ]);

      const won = answers.indexOf('');
      expect(answers.filter((text) => text === '')).to.have.lengthOf(1);
      expect(await kube.nodeNameOf(name)).to.equal(nodes[won]);
      const volumes = await volumesOf(name);
      expect(volumes.map(({ spec }) => spec.node)).to.deep.equal([nodes[won]]);
    });
  }

  it('binds no namesake of a pod that went meanwhile', async () => {
    const uid = await given('pod-again');
    let asked: Promise<string> | undefined;
    let another = '';
    await whileAgentSleeps('b1', async () => {
      asked = bind('pod-again', uid);
      await begun('pod-again');
      await kube.delete('Pod', 'pod-again');
      another = await givenPod('pod-again');
    });

    expect(await asked).to.equal(`pod default/pod-again with uid ${uid} is gone`);
    expect((await kube.nodeNameOf('pod-again')) ?? '').to.equal('');
    expect(await bind('pod-again', uid)).to.contain('is gone');
    await kube.volumeOf('pod-again');
    expect(await bind('pod-again', another)).to.equal('');
  });

  it('binds nobody to the volume of a claim that was deleted and made anew meanwhile', async () => {
    const uid = await given('claim-again');
    let asked: Promise<string> | undefined;
    await whileAgentSleeps('b1', async () => {
      asked = bind('claim-again', uid);
      await begun('claim-again');
      await kube.delete('PersistentVolumeClaim', 'claim-again');
      await kube.gone('PersistentVolumeClaim', 'claim-again');
      await kube.create(claim('claim-again', 'verb', '8Mi'));
    });

    // Or the loops were faster, and have taken the volume back.
    expect(await asked).to.match(/was deleted while|was changed by another hand while/);
    expect((await kube.nodeNameOf('claim-again')) ?? '').to.equal('');
    expect(await bind('claim-again', uid)).to.equal('');
    await waitFor(
      'the old volume to be gone',
      async () => (await volumesOf('claim-again')).length === 1,
      { timeoutMs: 20_000 },
    );
    const { metadata } = await kube.get<PersistentVolumeClaim>(
      'PersistentVolumeClaim',
      'claim-again',
    );
    expect((await volumesOf('claim-again'))[0]?.spec.claimRef.uid).to.equal(metadata?.uid);
  });

  it('is a success where somebody else has posted the same Binding', async () => {
    const uid = await given('posted');
    let asked: Promise<string> | undefined;
    await whileAgentSleeps('b1', async () => {
      asked = bind('posted', uid);
      await begun('posted');
      await cluster.api.request('POST', '/api/v1/namespaces/default/pods/posted/binding', {
        body: {
          apiVersion: 'v1',
          kind: 'Binding',
          metadata: { name: 'posted' },
          target: { apiVersion: 'v1', kind: 'Node', name: 'b1' },
        },
      });
    });

    expect(await asked).to.equal('');
    await kube.volumeOf('posted');
  });

  for (const [how, away] of [
    ['does not answer for a while', freezeApi],
    ['is killed', killApi],
  ] as const) {
    it(`settles when the API server ${how} in the middle`, async () => {
      const name = `away-${how.length}`;
      const uid = await given(name);
      cluster.pause('agent-b1');
      const asked = bind(name, uid).catch(String);
      await begun(name);
      await away(() => cluster.resume('agent-b1'));
      await asked;

      await waitFor('the bind to be done', async () => (await bind(name, uid)) === '', {
        timeoutMs: 60_000,
        intervalMs: 500,
      });
      expect(await kube.nodeNameOf(name)).to.equal('b1');
      expect(await volumesOf(name)).to.have.lengthOf(1);
      await kube.volumeOf(name);
    });
  }

  it('leaves nothing behind, and has harmed none of the pods beside', async () => {
    stream.abort();
    expect(await others).to.be.above(3);

    await kube.clearAway({ verb: nodes });

    expect(await kube.list<PersistentVolume>('PersistentVolume')).to.deep.equal([]);
  });

  async function freezeApi(meanwhile: () => void): Promise<void> {
    cluster.pause('apiserver');
    meanwhile();
    // How long the API server is away is what is tried here.
    await pause(3_000);
    cluster.resume('apiserver');
  }

  async function killApi(meanwhile: () => void): Promise<void> {
    await cluster.kill('apiserver');
    meanwhile();
    await cluster.restart('apiserver');
  }

  /** Pods that the scheduler places, one after another; an API server that is away delays them. */
  async function comeAndGo(signal: AbortSignal): Promise<number> {
    let done = 0;
    for (let i = 0; !signal.aborted; i += 1) {
      const name = `beside-${i}`;
      await insist(() => kube.create(claim(name, 'verb', '4Mi')));
      await insist(() =>
        kube.create(pod(name, { claims: [name], schedulerName: 'berth-scheduler' })),
      );
      await kube.nodeOf(name, 90_000);
      await kube.volumeOf(name, 90_000);
      await insist(() => kube.delete('Pod', name));
      await insist(() => kube.delete('PersistentVolumeClaim', name));
      done += 1;
    }
    return done;
  }

  /** The answer to a write may be lost on the way: that it exists or is gone by now is fine. */
  async function insist(write: () => Promise<void>): Promise<void> {
    await waitFor(
      'the API server',
      () =>
        write().then(
          () => true,
          (error: unknown) => /: (404|409)/.test(String(error)) || Promise.reject(error as Error),
        ),
      { timeoutMs: 60_000, intervalMs: 200 },
    );
  }
});
