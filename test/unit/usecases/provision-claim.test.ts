import { expect } from 'chai';
import type { Claim } from '../../../src/model/claim.ts';
import { PermanentError } from '../../../src/model/errors.ts';
import type { Pod } from '../../../src/model/pod.ts';
import { provisionClaim } from '../../../src/usecases/provision-claim.ts';
import { provision } from '../../../src/usecases/provision.ts';
import {
  aClaim,
  aClass,
  aPersistentVolume,
  aPod,
  aVolume,
  readyNode,
} from '../../support/facts.ts';
import { FakeCluster, silentLog } from '../../support/fake-cluster.ts';

describe('provisionClaim', () => {
  let cluster: FakeCluster;
  beforeEach(() => {
    cluster = new FakeCluster('n1', 100);
    cluster.addNode('n2', 100);
    cluster.classes.set('fast', aClass('fast'));
    cluster.classes.set('cloud', aClass('cloud', { provisioner: 'ebs.csi.aws.com' }));
  });

  const ended: string[] = [];
  beforeEach(() => void ended.splice(0));

  function given(pod: Partial<Pod>, ...claims: Claim[]): void {
    const names = claims.map(({ ref }) => ref.name);
    const schedulerName = 'default-scheduler';
    cluster.podObjects.set('db', aPod('db', names, { schedulerName, ...pod }));
    cluster.put(...claims);
  }

  function reconcile(key = 'shop/data'): Promise<number | undefined> {
    const { ledger, nodes, volumes, persistentVolumes, claims, pods, lookup } = cluster;
    const made = { ledger, nodes, volumes, persistentVolumes, log: silentLog };
    return provisionClaim({
      ...{ claims, pods, persistentVolumes, lookup, nodes, events: cluster.eventSink },
      holds: { end: (uid) => ended.push(uid) },
      provision: provision({ ...made, readyTimeoutMs: 1_000 }),
    })(key);
  }

  it('makes all claims of the pod on the node that a scheduler has chosen', async () => {
    given({}, aClaim('data', 10, { selectedNode: 'n1' }), aClaim('logs', 10));

    await reconcile();

    expect([...cluster.persistentVolumeObjects.keys()].sort()).to.deep.equal([
      'pvc-uid-data',
      'pvc-uid-logs',
    ]);
    // What its filter held is in the ledger now.
    expect(ended).to.deep.equal([cluster.podObjects.get('db')?.uid]);
    expect([...cluster.localVolumes.values()].map(({ spec }) => spec.node)).to.deep.equal([
      'n1',
      'n1',
    ]);
  });

  it('makes them on the node of a pod that was assigned by hand', async () => {
    given({ nodeName: 'n2' }, aClaim('data', 10));

    await reconcile();

    expect(cluster.localVolumes.get('pvc-uid-data')?.spec.node).to.equal('n2');
  });

  it('makes them for the pod that has its node, also where another one waits with the same claim', async () => {
    cluster.podObjects.set('waiting', aPod('waiting', ['data', 'missing']));
    given({ nodeName: 'n2' }, aClaim('data', 10));

    await reconcile();

    expect(cluster.localVolumes.get('pvc-uid-data')?.spec.node).to.equal('n2');
  });

  it('makes them for a pod that can have all, also where another one with the same claim cannot', async () => {
    cluster.podObjects.set('broken', aPod('broken', ['data', 'missing']));
    given({}, aClaim('data', 10, { selectedNode: 'n1' }));

    await reconcile();

    expect(cluster.localVolumes.get('pvc-uid-data')?.spec.node).to.equal('n1');
    expect(cluster.writes).not.to.include('clearSelectedNode data');
    expect(cluster.events).to.deep.equal([]);
  });

  it('makes them for an assigned pod that can have all, also where another assigned one cannot', async () => {
    cluster.podObjects.set('broken', aPod('broken', ['data', 'missing'], { nodeName: 'n1' }));
    given({ nodeName: 'n1' }, aClaim('data', 10));

    await reconcile();

    expect(cluster.localVolumes.get('pvc-uid-data')?.spec.node).to.equal('n1');
    expect(cluster.events).to.deep.equal([]);
  });

  const nothingToDo: readonly (readonly [string, () => void])[] = [
    ['the claim is gone', () => {}],
    ['nobody has chosen a node', () => given({}, aClaim('data', 10))],
    ['nobody uses the claim', () => cluster.put(aClaim('data', 10, { selectedNode: 'n1' }))],
    [
      'the claim is bound',
      () => given({ nodeName: 'n1' }, aClaim('data', 10, { volumeName: 'x' })),
    ],
    [
      'the claim is being deleted',
      () => given({ nodeName: 'n1' }, aClaim('data', 10, { deleting: true })),
    ],
    [
      'its PersistentVolume is there',
      () => {
        const claim = aClaim('data', 10, { selectedNode: 'n1' });
        given({}, claim);
        cluster.persistentVolumeObjects.set('pvc-uid-data', aPersistentVolume(claim, 'n1'));
      },
    ],
    [
      'the pod is being deleted',
      () => given({ deleting: true, nodeName: 'n1' }, aClaim('data', 10)),
    ],
    [
      'the claim is of another provisioner',
      () => given({}, aClaim('data', 10, { selectedNode: 'n1', className: 'cloud' })),
    ],
  ];
  for (const [what, arrange] of nothingToDo) {
    it(`does nothing where ${what}`, async () => {
      arrange();

      expect(await reconcile()).to.equal(undefined);
      expect(cluster.writes).to.deep.equal([]);
      expect(cluster.events).to.deep.equal([]);
    });
  }

  it('leaves the choice for a foreign claim alone, whatever is wrong with the pod’s other claims', async () => {
    const foreign = aClaim('data', 10, { selectedNode: 'n1', className: 'cloud' });
    given({}, foreign, aClaim('logs', 10, { lost: true }));

    await reconcile();

    expect(cluster.writes).to.deep.equal([]);
    expect(cluster.events).to.deep.equal([]);
  });

  it('takes the choice back where there is no room, and tells both owners why', async () => {
    given({}, aClaim('data', 500, { selectedNode: 'n1' }));

    await reconcile();

    expect(cluster.writes).to.deep.equal(['clearSelectedNode data']);
    expect(cluster.events).to.have.lengthOf(2);
    expect(cluster.events[0]).to.match(/^PersistentVolumeClaim data BerthProvisioningFailed: .*n1/);
    expect(cluster.events[1]).to.match(/^Pod db BerthProvisioningFailed: shop\/data cannot/);
  });

  it('takes the choice of a cordoned node back', async () => {
    given({}, aClaim('data', 10, { selectedNode: 'n1' }));
    cluster.addNode('n1', 100, 'fast', { state: { ...readyNode, unschedulable: true } });

    await reconcile();

    expect(cluster.writes).to.deep.equal(['clearSelectedNode data']);
    expect(cluster.events[0]).to.contain('node n1 is cordoned: no new volumes are made on it');
  });

  it('takes the choice back where another claim of the pod lies on another node', async () => {
    const logs = aClaim('logs', 10);
    given({}, aClaim('data', 10, { selectedNode: 'n1' }), logs);
    cluster.put(aVolume(logs, 'n2'));

    await reconcile();

    expect(cluster.writes).to.deep.equal(['clearSelectedNode data']);
    expect(cluster.events[0]).to.contain('the volume of claim shop/logs is on another node');
  });

  it('tries again later where there is no choice that could be taken back', async () => {
    given({ nodeName: 'n1' }, aClaim('data', 500));

    expect(await reconcile()).to.equal(10_000);
    expect(cluster.writes).to.deep.equal([]);
  });

  it('takes the choice back, and says why, where a failure will not pass by itself', async () => {
    given({}, aClaim('data', 10, { selectedNode: 'n1' }));
    cluster.before.set('ensurePv', () => {
      throw new PermanentError('pvc-uid-data exists for another claim');
    });

    expect(await reconcile()).to.equal(undefined);
    expect(cluster.writes.at(-1)).to.equal('clearSelectedNode data');
    expect(cluster.events).to.have.lengthOf(2);
    expect(cluster.events[0]).to.contain('on node n1: pvc-uid-data exists for another claim');
  });

  it('takes the choice of a node back that has no name for its volumes', async () => {
    cluster.addNode('n3', 100, 'fast', { labels: {} });
    given({}, aClaim('data', 10, { selectedNode: 'n3' }));

    await reconcile();

    expect(cluster.writes).to.deep.equal(['clearSelectedNode data']);
    expect(cluster.events[1]).to.contain('node n3 has no label kubernetes.io/hostname');
  });

  it('leaves a failure that may pass to the next try', async () => {
    given({}, aClaim('data', 10, { selectedNode: 'n1' }));
    cluster.breakAt('ensurePv');

    const thrown: unknown = await reconcile().catch((error: unknown) => error);

    expect(thrown).to.be.an('error').with.property('message', 'ensurePv failed');
    expect(cluster.events).to.deep.equal([]);
  });

  describe('of a claim that two pods share', () => {
    it('serves the one that has its node already, whatever was chosen for the other', async () => {
      given({}, aClaim('data', 10, { selectedNode: 'n1' }));
      cluster.podObjects.set('second', aPod('second', ['data'], { nodeName: 'n2' }));

      await reconcile();

      expect(cluster.localVolumes.get('pvc-uid-data')?.spec.node).to.equal('n2');
    });

    it('lets no pod fail for what only the other asks', async () => {
      given({}, aClaim('data', 10, { selectedNode: 'n1' }), aClaim('huge', 500));
      cluster.podObjects.set('second', aPod('second', ['data']));

      await reconcile();

      expect([...cluster.persistentVolumeObjects.keys()]).to.deep.equal(['pvc-uid-data']);
      expect(cluster.events).to.deep.equal([]);
    });
  });
});
