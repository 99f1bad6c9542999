import { expect } from 'chai';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { LocalVolumeObject, StorageNodeObject } from '../../src/kube/custom-objects.ts';
import type { KubeObject, Pod } from '../../src/kube/objects.ts';
import { agentFinalizer, controlFinalizer, selectedNodeAnnotation } from '../../src/model/names.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { detach, loopsBelow } from '../cluster/leftover-disks.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { waitFor } from '../cluster/wait.ts';
import { Installation, type ControlRole } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import { claim, MiB, pod, statefulSet, storageClass, storagePool } from '../support/objects.ts';

const minute = 60_000;
const soon = { timeoutMs: 30_000, intervalMs: 50 };
const patient = { timeoutMs: 2 * minute };
const agentFlags = ['--lease-renew', '500ms'];

describe('a node that is lost', function () {
  this.timeout(5 * minute);
  let cluster: Cluster;
  let berth: Installation;
  let control: ControlRole;
  let kube: Kube;
  const nodes = ['h1', 'h2', 'h3'];

  before(async () => {
    cluster = await startCluster({ nodeMonitorGraceSeconds: 8 });
    kube = new Kube(cluster);
    berth = await Installation.on(cluster);
    await cluster.addHollowNodes(nodes);
    control = await berth.startControl({ flags: ['--node-silent-after', '3s'] });
    await berth.startScheduler(control);
    await Promise.all(nodes.map((node) => berth.startHollowAgent(node, { flags: agentFlags })));
    await berth.startWebhook();
    await kube.create(storagePool('fast', '100Mi'));
    await kube.createAll(
      Object.entries({ stay: 'keep', hurry: '5s', hours: '2h', wait: '15s' }).map(
        ([name, time]) => {
          const onNodeLost = time === 'keep' ? time : `release-after=${time}`;
          return storageClass(name, { pool: 'fast', onNodeLost });
        },
      ),
    );
    await berth.poolsReported('fast', nodes);
  });

  after(async () => {
    await cluster?.stop();
  });

  interface Place {
    readonly node: string;
    readonly claim: string;
    readonly claimUid: string;
    readonly podUid: string;
    readonly volume: string;
  }

  /** Where the first pod of a StatefulSet, its claim and its volume are. */
  async function placeOf(set: string): Promise<Place> {
    const node = await kube.nodeOf(`${set}-0`);
    const { metadata } = await kube.get<Pod>('Pod', `${set}-0`);
    const name = `data-${set}-0`;
    const volume = (await kube.volumeOf(name)).metadata?.name ?? '';
    const claimUid = volume.replace('pvc-', '');
    return { node, claim: name, claimUid, podUid: metadata?.uid ?? '', volume };
  }

  async function start(set: string, className: string): Promise<Place> {
    await kube.create(statefulSet(set, { replicas: 1, className, size: '4Mi' }));
    return placeOf(set);
  }

  async function end(...sets: string[]): Promise<void> {
    await kube.delete('StatefulSet', ...sets);
    const pods = sets.map((set) => `${set}-0`);
    await kube.gone('Pod', ...pods);
    await kube.delete('PersistentVolumeClaim', ...pods.map((name) => `data-${name}`));
  }

  async function lose(node: string): Promise<void> {
    await cluster.kill(`agent-${node}`);
    cluster.hollow.lose(node);
  }

  async function bringBack(node: string): Promise<void> {
    await cluster.hollow.bringBack(node);
    await cluster.restart(`agent-${node}`);
    await waitFor(
      `node ${node} to be alive`,
      async () => {
        const { nodes: all } = await berth.capacity(control);
        return all.find((one) => one.node === node)?.alive;
      },
      soon,
    );
  }

  const lostSince = async (volume: string): Promise<string | undefined> => {
    const { metadata } = await kube.get<LocalVolumeObject>('LocalVolume', volume);
    return metadata.annotations?.['berth.dev/node-lost-since'];
  };

  async function count(name: string, uid: string, reason: string): Promise<number> {
    const events = await kube.events(name);
    return events.filter((one) => one.reason === reason && one.involvedObject.uid === uid).length;
  }

  /** Waits until the pod has begun anew on another node, and nothing of the old volume is left. */
  async function movedFrom(set: string, old: Place): Promise<Place> {
    await waitFor(
      `${set}-0 to be bound elsewhere`,
      async () => {
        const now = await kube.find<Pod>('Pod', `${set}-0`);
        return now?.metadata?.uid !== old.podUid && now?.spec?.nodeName;
      },
      { ...patient, explain: () => kube.eventTexts(old.claim) },
    );
    await kube.gone('LocalVolume', old.volume);
    await kube.gone('PersistentVolume', old.volume);
    const now = await placeOf(set);
    expect(now.node).not.to.equal(old.node);
    expect(now.claimUid).not.to.equal(old.claimUid);
    return now;
  }

  async function purgeOf(node: string, volume: string) {
    const { spec } = await kube.get<StorageNodeObject>('StorageNode', node);
    return spec?.purge?.find(({ name }) => name === volume);
  }

  it('is waited for as long as the class says; then the pod starts elsewhere', async () => {
    const old = await start('away', 'hurry');
    const { metadata } = await kube.get<LocalVolumeObject>('LocalVolume', old.volume);

    await lose(old.node);

    const begun = await kube.event(old.claim, 'BerthNodeLost', minute);
    expect(begun).to.contain(`the data of claim default/${old.claim} is on node ${old.node}, and`);
    expect(begun).to.contain('is not ready (NodeStatusUnknown');
    expect(begun).to.contain('are given up at');
    const now = await movedFrom('away', old);
    expect(await kube.event(old.claim, 'BerthVolumeGivenUp')).to.contain('release-after=5s');
    expect(await count('away-0', old.podUid, 'BerthNodeLost')).to.equal(1);
    expect(await count('away-0', old.podUid, 'BerthVolumeGivenUp')).to.equal(1);
    expect(await purgeOf(old.node, old.volume)).to.include({
      ...{ pool: 'fast', name: old.volume, volumeUid: metadata.uid, erase: 'discard' },
    });
    const metrics = await (await fetch(`${control.ops}/metrics`)).text();
    expect(metrics).to.match(/^berth_volumes_given_up_total 1$/m);
    await bringBack(old.node);
    await end('away');
    await kube.gone('LocalVolume', now.volume);
  });

  it('keeps what is to be kept, and says that it waits for ever', async () => {
    // One node is open, so that both are on it.
    await cluster.kubectl(['cordon', 'h2', 'h3']);
    const [kept, given] = [await start('kept', 'stay'), await start('given', 'hurry')];
    await cluster.kubectl(['uncordon', 'h2', 'h3']);
    expect([kept.node, given.node]).to.deep.equal(['h1', 'h1']);

    await lose('h1');
    await movedFrom('given', given);

    expect(await kube.event(kept.claim, 'BerthNodeLost')).to.contain('waits for it for ever');
    expect(await placeOf('kept')).to.deep.equal(kept);
    await bringBack('h1');
    expect(await kube.event(kept.claim, 'BerthNodeBack')).to.contain('can be reached again');
    expect(await placeOf('kept')).to.deep.equal(kept);
    await end('kept', 'given');
    await kube.gone('LocalVolume', kept.volume);
  });

  it('loses nothing when it comes back in time, and begins with a new time when lost again', async () => {
    const place = await start('patient', 'hours');

    await lose(place.node);
    await kube.event(place.claim, 'BerthNodeLost', minute);
    const first = await lostSince(place.volume);
    await bringBack(place.node);
    await kube.event(place.claim, 'BerthNodeBack');

    expect(first).to.be.a('string');
    expect(await lostSince(place.volume)).to.equal(undefined);
    expect(await placeOf('patient')).to.deep.equal(place);
    await end('patient');
    await kube.gone('LocalVolume', place.volume);
  });

  it('is waited for on when control is killed in the middle', async () => {
    const old = await start('long', 'wait');
    await lose(old.node);
    await kube.event(old.claim, 'BerthNodeLost', minute);
    const since = await lostSince(old.volume);

    await cluster.kill('control');
    await cluster.restart('control');
    const sinceAfter = await lostSince(old.volume);
    await movedFrom('long', old);

    expect(sinceAfter).to.equal(since);
    expect(await count(old.claim, old.claimUid, 'BerthNodeLost')).to.equal(1);
    expect(await count(old.claim, old.claimUid, 'BerthVolumeGivenUp')).to.equal(1);
    await bringBack(old.node);
    await end('long');
  });

  it('lets no finalizer stick when its Node is deleted', async () => {
    const here = { 'kubernetes.io/hostname': 'h3' };
    await kube.create(storagePool('leaving', '20Mi', here));
    await kube.create(storageClass('leaving', { pool: 'leaving' }));
    await berth.poolsReported('leaving', ['h3']);
    await kube.create(claim('used', 'leaving', '4Mi'));
    await kube.create(pod('used', { claims: ['used'] }));
    const volume = (await kube.volumeOf('used')).metadata?.name ?? '';
    const never = unpublished('h3', 'leaving');
    await lose('h3');
    await kube.create(never);
    await kube.delete('StorageNode', 'h3');

    await cluster.hollow.remove(['h3']);
    expect(await kube.event('used', 'BerthNodeLost')).to.contain('node h3 does not exist');
    await kube.delete('Pod', 'used');
    await kube.delete('PersistentVolumeClaim', 'used');
    await kube.delete('StoragePool', 'leaving');

    await kube.gone('LocalVolume', volume, never.metadata.name);
    await kube.gone('PersistentVolume', volume);
    await kube.gone('StoragePool', 'leaving');
    expect(await purgeOf('h3', volume)).to.include({ pool: 'leaving', name: volume });
    expect(await purgeOf('h3', never.metadata.name)).to.include({ pool: 'leaving' });
    await cluster.addHollowNodes(['h3']);
    await cluster.restart('agent-h3');
    await berth.poolsReported('fast', ['h3']);
  });

  it('is recognised when another machine has its name, and can be used at once', async () => {
    const here = { 'kubernetes.io/hostname': 'h2' };
    await kube.create(storagePool('machine', '20Mi', here));
    await kube.create(storageClass('machine', { pool: 'machine' }));
    await startAgentOf('h2', 'first');
    await berth.poolsReported('machine', ['h2']);
    await kube.create(claim('old', 'machine', '4Mi'));
    await kube.create(pod('old', { claims: ['old'] }));
    const volume = (await kube.volumeOf('old')).metadata?.name ?? '';
    await waitFor('the id of the machine', async () => (await machineIdOf('h2')) === 'first', soon);

    await cluster.kill('agent-h2');
    const pools = join(berth.hollowFolder('h2', '/var/lib/berth'), 'pools');
    // The devices go with the machine.
    await Promise.all((await loopsBelow(join(pools, 'machine'))).map(detach));
    await rm(join(pools, 'machine'), { recursive: true });
    await startAgentOf('h2', 'second');

    const lost = await waitFor(
      'the volume to be lost',
      async () => {
        const { status } = await kube.get<LocalVolumeObject>('LocalVolume', volume);
        return status?.phase === 'Lost' && status.message;
      },
      soon,
    );
    expect(lost).to.contain('replaced (machine id first before, second now)');
    expect(await kube.event('h2', 'MachineReplaced')).to.contain('machine id first before');
    expect(await kube.event('old', 'BerthNodeLost')).to.contain(
      'no longer on the disks of node h2',
    );
    await waitFor(
      'the id of the machine',
      async () => (await machineIdOf('h2')) === 'second',
      soon,
    );
    await kube.create(claim('new', 'machine', '4Mi'));
    await kube.create(pod('new', { claims: ['new'] }));
    expect(await kube.nodeOf('new')).to.equal('h2');
    await kube.delete('Pod', 'old', 'new');
    await kube.delete('PersistentVolumeClaim', 'old', 'new');
    await kube.gone('LocalVolume', volume);
  });

  it('gets no new volumes while it is cordoned, however the node was chosen', async () => {
    await kube.createAll([claim('raced', 'stay', '4Mi'), claim('chosen', 'stay', '4Mi')]);
    await kube.create(pod('raced', { claims: ['raced'], schedulerName: 'nobody' }));
    await kube.create(pod('chosen', { claims: ['chosen'], schedulerName: 'nobody' }));
    const { metadata } = await kube.get<Pod>('Pod', 'raced');
    await cluster.kubectl(['cordon', 'h1']);

    const answer = await bind('raced', metadata?.uid ?? '', 'h1');
    await cluster.api.patch('/api/v1/namespaces/default/persistentvolumeclaims/chosen', {
      metadata: { annotations: { [selectedNodeAnnotation]: 'h1' } },
    });

    expect(answer).to.equal('node h1 is cordoned: no new volumes are made on it');
    expect(await kube.event('raced', 'BerthBindFailed')).to.equal(answer);
    expect(await kube.event('chosen', 'BerthProvisioningFailed')).to.contain(answer);
    await waitFor(
      'the choice of the node to be taken back',
      async () => {
        const { metadata: now } = await kube.get<KubeObject>('PersistentVolumeClaim', 'chosen');
        return now?.annotations?.[selectedNodeAnnotation] === undefined;
      },
      soon,
    );
    expect(await kube.list('LocalVolume')).to.deep.equal([]);
    await cluster.kubectl(['uncordon', 'h1']);
    const open = await waitFor(
      'the bind to be taken',
      async () => (await bind('raced', metadata?.uid ?? '', 'h1')) === '',
      soon,
    );
    expect(open).to.equal(true);
    await kube.delete('Pod', 'raced', 'chosen');
    await kube.delete('PersistentVolumeClaim', 'raced', 'chosen');
    await kube.noVolumesLeft();
  });

  async function startAgentOf(node: string, machineId: string): Promise<void> {
    await cluster.kill(`agent-${node}`);
    const file = join(cluster.dir, `machine-id-of-${node}`);
    await writeFile(file, `${machineId}\n`);
    // What was recorded of the machine of the tests themselves says nothing of these.
    if (machineId === 'first') {
      await kube.delete('StorageNode', node);
    }
    await berth.startHollowAgent(node, { flags: [...agentFlags, '--machine-id-file', file] });
  }

  async function machineIdOf(node: string): Promise<string | undefined> {
    return (await kube.find<StorageNodeObject>('StorageNode', node))?.status?.machineID;
  }

  /** What the scheduler would send, and what is wrong with it. */
  async function bind(name: string, uid: string, node: string): Promise<string> {
    const body = { PodName: name, PodNamespace: 'default', PodUID: uid, Node: node };
    const answer = await fetch(`${control.verbs}/bind`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    return ((await answer.json()) as { Error: string }).Error;
  }
});

/** What a bind leaves behind that was killed before its agent has answered. */
function unpublished(node: string, pool: string) {
  const uid = '00000000-0000-4000-8000-000000000001';
  return {
    apiVersion: 'berth.dev/v1alpha1',
    kind: 'LocalVolume',
    metadata: {
      name: `pvc-${uid}`,
      labels: { 'berth.dev/node': node },
      finalizers: [agentFinalizer, controlFinalizer],
    },
    spec: {
      ...{ node, pool, bytes: 4 * MiB, volumeMode: 'Filesystem', fsType: 'ext4', erase: 'zero' },
      claimRef: { namespace: 'default', name: 'never', uid },
    },
  };
}
