import { readFileSync } from 'node:fs';

import { expect } from 'chai';

import type { Cluster } from '../cluster/cluster.ts';
import { forEachParallel } from '../cluster/parallel.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { waitFor } from '../cluster/wait.ts';
import type { Pod } from '../../src/kube/objects.ts';
import { Installation, type ControlRole } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import { claim, pod, storageClass, storagePool } from '../support/objects.ts';

const schedulerName = 'berth-scheduler';
/** Two seconds are promised on a quiet machine; the bench has the exact figures. */
const soonMs = 10_000;
const crowd = 200;

describe('waking of waiting pods', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let berth: Installation;
  let control: ControlRole;
  let kube: Kube;
  const node = 'k1';

  before(async () => {
    cluster = await startCluster({ audit: true });
    kube = new Kube(cluster);
    berth = await Installation.on(cluster);
    await cluster.addHollowNodes([node], { allocatable: { pods: '1000' } });
    control = await berth.startControl();
    await berth.startScheduler(control);
    await berth.startHollowAgent(node);
    await kube.create(storagePool('crowd', '40Mi'));
    await kube.create(storageClass('crowd', { pool: 'crowd' }));
    await berth.poolsReported('crowd', [node]);
    await use('inside', '30Mi');
    await kube.nodeOf('inside');
    await kube.volumeOf('inside');
    // None of these ever fits; the small one does when there is room.
    const names = Array.from({ length: crowd - 1 }, (_, i) => `large-${i}`);
    await forEachParallel(names, 8, (name) => use(name, '500Mi'));
    await use('small', '20Mi');
    await waitFor('all of them to be refused', async () => (await refused()) === crowd, {
      timeoutMs: 60_000,
    });
  });

  after(async () => {
    await cluster.stop();
  });

  async function use(name: string, size: string): Promise<void> {
    await kube.create(claim(name, 'crowd', size));
    await kube.create(pod(name, { claims: [name], schedulerName }));
  }

  async function refused(): Promise<number> {
    const pods = await kube.list<Pod>('Pod');
    return pods.filter(({ spec, status }) => {
      const said = status?.conditions?.find(({ type }) => type === 'PodScheduled');
      return spec?.nodeName === undefined && said?.reason === 'Unschedulable';
    }).length;
  }

  /** The pods that control has touched, each as often as it has. */
  function touched(): string[] {
    const lines = readFileSync(cluster.auditLog, 'utf8').trimEnd().split('\n');
    return lines
      .map((line) => JSON.parse(line) as AuditEntry)
      .filter(({ verb, user, objectRef }) => {
        const isOurs = user.username === 'system:serviceaccount:berth-system:berth-control';
        return isOurs && verb === 'patch' && objectRef?.resource === 'pods';
      })
      .map(({ objectRef }) => objectRef?.name ?? '');
  }

  interface AuditEntry {
    readonly verb: string;
    readonly user: { readonly username: string };
    readonly objectRef?: { readonly resource: string; readonly name?: string };
  }

  /** Room comes, the pod that fits gets it soon, and nobody was disturbed in vain. */
  async function expectSoon(name: string, makeRoom: () => Promise<void>): Promise<void> {
    const before = touched().length;
    await makeRoom();

    await kube.nodeOf(name, soonMs);

    const since = touched().slice(before);
    expect(new Set(since)).to.deep.equal(new Set([name]));
    expect(since.length).to.be.at.most(3);
  }

  it('gives the room of a deleted claim to the one of 200 that fits', async () => {
    await kube.delete('Pod', 'inside');
    await kube.gone('Pod', 'inside');

    await expectSoon('small', () => kube.delete('PersistentVolumeClaim', 'inside'));
  });

  it('gives the room of a larger pool to the pod that waited for it', async () => {
    await use('second', '30Mi');
    await kube.event('second', 'BerthNoRoom');

    await expectSoon('second', () => enlarge('80Mi'));
  });

  it('gives the room of a node whose agent is back to the pod that waited for it', async () => {
    const lease = `/apis/coordination.k8s.io/v1/namespaces/berth-system/leases/berth-node-${node}`;
    await cluster.kill(`agent-${node}`);
    await cluster.api.request('DELETE', lease);
    await use('third', '10Mi');
    await kube.event('third', 'BerthNoRoom');

    await expectSoon('third', () => cluster.program(`agent-${node}`).start());
  });

  async function enlarge(size: string): Promise<void> {
    await cluster.api.patch('/apis/berth.dev/v1alpha1/storagepools/crowd', {
      spec: { loop: { size } },
    });
  }
});
