import { expect } from 'chai';
import fc from 'fast-check';
import type { NodeState } from '../../../src/model/node.ts';
import type { LocalVolume } from '../../../src/model/volume.ts';
import { giveUpVolume } from '../../../src/usecases/give-up-volume.ts';
import { aClaim, aPersistentVolume, aPod, aVolume, readyNode } from '../../support/facts.ts';
import { FakeCluster, silentLog } from '../../support/fake-cluster.ts';

const name = 'pvc-uid-data';
const claim = aClaim('data', 10, { volumeName: name });
const minute = 60_000;
const start = Date.UTC(2026, 0, 1);
const unreachable: NodeState = {
  ready: 'Unknown',
  said: 'NodeStatusUnknown, Kubelet stopped posting node status.',
  unschedulable: false,
};
const releaseAfter = { onNodeLost: 'release-after=10m' };

describe('giveUpVolume', () => {
  let cluster: FakeCluster;
  let now: number;
  let count: number;
  let reconcile: () => Promise<number | undefined>;
  beforeEach(() => begin());

  function begin(): void {
    cluster = new FakeCluster('n1', 100);
    cluster.addNode('n2', 100);
    now = start;
    count = 0;
    reconcile = open();
  }

  /** As another replica, or the same one after a restart, would see it. */
  function open(): () => Promise<number | undefined> {
    const { nodes, nodeObjects, losses, volumes, persistentVolumes, claims, pods } = cluster;
    const ports = { nodes, nodeObjects, losses, volumes, persistentVolumes, claims, pods };
    const givenUp = (): void => void (count += 1);
    const others = { events: cluster.eventSink, log: silentLog, now: () => now, givenUp };
    return () => giveUpVolume({ ...ports, ...others })(name);
  }

  function given(spec: Partial<LocalVolume['spec']> = releaseAfter): void {
    const status = { phase: 'Ready' as const };
    cluster.put(claim, aVolume(claim, 'n1', { published: true, status, spec }));
    cluster.podObjects.set('db', aPod('db', ['data'], { nodeName: 'n1' }));
    cluster.persistentVolumeObjects.set(name, aPersistentVolume(claim, 'n1'));
  }

  function nodeIs(state: NodeState, alive = false): void {
    cluster.addNode('n1', 100, 'fast', { state, alive });
  }

  const reasons = (): string[] => cluster.events.map((text) => text.split(':')[0] ?? '');
  const claimIsGone = (): unknown => cluster.claimObjects.delete('shop/data');

  it('asks nobody while node and volume are well', async () => {
    given();
    cluster.breakAt('read');
    cluster.breakAt('readNode');

    expect(await reconcile()).to.equal(undefined);
    expect(cluster.writes).to.deep.equal([]);
  });

  it('takes a node that is cordoned, or says nothing of itself, for well', async () => {
    for (const state of [
      { ...readyNode, unschedulable: true },
      { ...readyNode, ready: undefined },
    ]) {
      given();
      nodeIs(state);

      expect(await reconcile()).to.equal(undefined);
      expect(cluster.writes).to.deep.equal([]);
    }
  });

  it('believes a live read more than memory', async () => {
    given();
    nodeIs(unreachable);
    cluster.liveNodes.set('n1', readyNode);

    await reconcile();

    expect(cluster.writes).to.deep.equal([]);
  });

  it('says when the volume of a lost node will be given up, once', async () => {
    given();
    nodeIs(unreachable);

    await reconcile();
    const leftMs = await reconcile();

    expect(leftMs).to.equal(10 * minute);
    expect(cluster.writes).to.deep.equal([`lost ${name}`]);
    const text =
      'BerthNodeLost: the data of claim shop/data is on node n1, and node n1 is not ready ' +
      '(NodeStatusUnknown, Kubelet stopped posting node status.). Unless it comes back, claim and ' +
      'data are given up at 2026-01-01T00:10:00.000Z (onNodeLost: release-after=10m)';
    expect(cluster.events).to.deep.equal([
      `LocalVolume ${name} ${text}`,
      `PersistentVolumeClaim data ${text}`,
      `Pod db ${text}`,
    ]);
  });

  it('says that the agent still lives where it does', async () => {
    given();
    nodeIs(unreachable, true);

    await reconcile();

    expect(cluster.events[0]).to.contain('); the agent there still gives signs of life. Unless');
  });

  for (const onNodeLost of ['keep', undefined, 'release-after=soon']) {
    it(`waits for ever where the class says ${onNodeLost ?? 'nothing'}`, async () => {
      given(onNodeLost === undefined ? {} : { onNodeLost });
      nodeIs(unreachable);

      await reconcile();
      now += 1000 * 24 * 60 * minute;

      expect(await reconcile()).to.equal(undefined);
      expect(cluster.writes).to.deep.equal([`lost ${name}`]);
      expect(cluster.events).to.have.lengthOf(3);
      expect(cluster.events[1]).to.contain('waits for it for ever (onNodeLost: keep)');
      expect(cluster.events[1]).to.contain('delete the claim and its pod');
    });
  }

  it('gives the volume up when its time is over, claim before pods', async () => {
    given();
    cluster.controlled.add('db');
    nodeIs(unreachable);
    await reconcile();
    now += 10 * minute;

    expect(await reconcile()).to.be.a('number');

    expect(cluster.writes.slice(1)).to.deep.equal([
      `giveUp ${name}`,
      'deleteClaim data',
      'forcePod db',
    ]);
    expect(reasons().slice(3)).to.deep.equal([
      `LocalVolume ${name} BerthVolumeGivenUp`,
      'PersistentVolumeClaim data BerthVolumeGivenUp',
      'Pod db BerthVolumeGivenUp',
    ]);
    expect(cluster.events.at(-1)).to.contain('the data on node n1 is erased should it come back');
    expect(count).to.equal(1);
  });

  it('goes on with the time that is recorded, whoever recorded it', async () => {
    given();
    nodeIs(unreachable);
    await reconcile();
    now += 9 * minute;
    reconcile = open();

    expect(await reconcile()).to.equal(minute);
    expect(cluster.events).to.have.lengthOf(3);
  });

  it('goes on where it was broken off in the middle of giving up', async () => {
    given();
    nodeIs(unreachable);
    await reconcile();
    now += 10 * minute;
    for (const call of ['deleteClaim', 'forcePod']) {
      cluster.breakAt(call);
      await reconcile().then(
        () => expect.fail('nothing was broken'),
        () => undefined,
      );
      reconcile = open();
    }

    await reconcile();

    expect(cluster.writes).to.deep.equal([
      ...[`lost ${name}`, `giveUp ${name}`, 'deleteClaim data', 'deleteClaim data', 'forcePod db'],
    ]);
    expect(count).to.equal(1);
    expect(cluster.events).to.have.lengthOf(6);
  });

  it('begins anew where the node was well for a while and nobody looked', async () => {
    given();
    nodeIs(unreachable);
    await reconcile();
    now += 12 * minute;
    nodeIs({ ...unreachable, since: now - 2 * minute });

    await reconcile();

    expect(await reconcile()).to.equal(10 * minute);
    expect(cluster.writes).to.deep.equal([`lost ${name}`, `lost ${name}`]);
  });

  it('does not mind the clock of another machine', async () => {
    for (const since of [start + minute, start + 1000 * minute]) {
      begin();
      given();
      nodeIs({ ...unreachable, since });
      await reconcile();
      now += 2 * minute;

      expect(await reconcile()).to.equal(8 * minute);
    }
  });

  it('never waits longer than a timer can hold', async () => {
    given({ onNodeLost: 'release-after=365d' });
    nodeIs(unreachable);
    await reconcile();

    expect(await reconcile()).to.be.below(2 ** 31);
  });

  it('says of a Retain volume that its data stays', async () => {
    given();
    const reclaimPolicy = 'Retain';
    cluster.persistentVolumeObjects.set(name, aPersistentVolume(claim, 'n1', { reclaimPolicy }));
    nodeIs(unreachable);
    await reconcile();
    now += 10 * minute;

    await reconcile();

    expect(cluster.events.at(-1)).to.contain('stays there, as reclaimPolicy Retain asks');
  });

  it('forgets the time when the node is back, and says so', async () => {
    given();
    nodeIs(unreachable);
    await reconcile();
    nodeIs(readyNode);

    await reconcile();
    await reconcile();

    expect(cluster.localVolumes.get(name)?.nodeLostSince).to.equal(undefined);
    expect(cluster.writes).to.deep.equal([`lost ${name}`, `back ${name}`]);
    expect(reasons().slice(3)).to.deep.equal([
      `LocalVolume ${name} BerthNodeBack`,
      'PersistentVolumeClaim data BerthNodeBack',
      'Pod db BerthNodeBack',
    ]);
  });

  it('begins to wait anew when the node is lost once more', async () => {
    given();
    nodeIs(unreachable);
    await reconcile();
    now += 9 * minute;
    nodeIs(readyNode);
    await reconcile();
    nodeIs(unreachable);
    await reconcile();

    expect(await reconcile()).to.equal(10 * minute);
  });

  it('gives nothing up whose node came back at the last moment', async () => {
    given();
    nodeIs(unreachable);
    await reconcile();
    now += 10 * minute;
    cluster.liveNodes.set('n1', readyNode);

    await reconcile();

    expect(cluster.writes).to.deep.equal([`lost ${name}`, `back ${name}`]);
  });

  it('gives nothing up that another hand has changed meanwhile', async () => {
    given();
    nodeIs(unreachable);
    await reconcile();
    now += 10 * minute;
    cluster.before.set('giveUp', () => cluster.change(name, {}));

    expect(await reconcile()).to.be.a('number');
    expect(cluster.writes).to.deep.equal([`lost ${name}`, `giveUp ${name}`]);
  });

  it('leaves a namesake of the claim alone', async () => {
    given();
    cluster.put({ ...claim, ref: { ...claim.ref, uid: 'another' } });
    nodeIs(unreachable);

    await reconcile();

    expect(cluster.writes).to.deep.equal([]);
  });

  it('leaves a volume alone that nobody has got yet', async () => {
    given();
    cluster.change(name, { published: false });
    nodeIs(unreachable);

    await reconcile();

    expect(cluster.writes).to.deep.equal([]);
  });

  it('treats a vanished disk like a lost node, but lets the living kubelet end the pod', async () => {
    given();
    cluster.change(name, { status: { phase: 'Lost' } });
    await reconcile();
    now += 10 * minute;

    await reconcile();

    expect(cluster.events[0]).to.contain('it is no longer on the disks of node n1');
    expect(cluster.writes.slice(2)).to.deep.equal(['deleteClaim data', 'deletePod db']);
  });

  it('does not delete a waiting pod that nothing would replace', async () => {
    given();
    cluster.podObjects.set('waits', aPod('waits', ['data']));
    cluster.podObjects.set('waits-replaced', aPod('waits-replaced', ['data']));
    cluster.controlled.add('waits-replaced');
    cluster.nodeFacts.delete('n1');
    await reconcile();
    now += 10 * minute;

    await reconcile();

    expect(cluster.writes.slice(3)).to.deep.equal(['forcePod db', 'deletePod waits-replaced']);
  });

  it('replaces a pod that was made just before its claim had gone', async () => {
    given();
    cluster.change(name, { givenUp: true, nodeLostSince: start, deleting: true });
    cluster.podObjects.set('db', aPod('db', ['data']));
    cluster.controlled.add('db');
    nodeIs(unreachable);

    await reconcile();
    const before = [...cluster.writes];
    claimIsGone();
    await reconcile();

    expect(before).to.deep.equal([]);
    expect(cluster.writes).to.deep.equal(['deletePod db']);
  });

  it('ends what was begun although the node came back', async () => {
    given();
    nodeIs(unreachable);
    await reconcile();
    now += 10 * minute;
    cluster.breakAt('forcePod');
    await reconcile().catch(() => undefined);
    nodeIs(readyNode, true);

    await reconcile();

    expect(cluster.writes.slice(3)).to.deep.equal(['deleteClaim data', 'deletePod db']);
  });

  describe('for a volume that is deleted and given to its agent', () => {
    beforeEach(() => {
      given();
      claimIsGone();
      cluster.podObjects.clear();
      cluster.change(name, { deleting: true, heldByControl: false });
    });

    it('asks for the purge first, and then lets it go, where the Node does not exist', async () => {
      cluster.nodeFacts.delete('n1');

      await reconcile();

      expect(cluster.writes).to.deep.equal([`purge ${name} on n1`, `releaseFromAgent ${name}`]);
    });

    it('does the same where it was given up and the Node is still there', async () => {
      nodeIs(unreachable);
      cluster.change(name, { givenUp: true });

      await reconcile();

      expect(cluster.writes).to.deep.equal([`purge ${name} on n1`, `releaseFromAgent ${name}`]);
    });

    it('does not let it go while the purge cannot be asked for', async () => {
      cluster.nodeFacts.delete('n1');
      cluster.breakAt('purge');

      await reconcile().catch(() => undefined);

      expect(cluster.localVolumes.has(name)).to.equal(true);
    });

    it('waits for a node that is not ready and was not given up', async () => {
      nodeIs(unreachable);

      expect(await reconcile()).to.equal(undefined);
      expect(cluster.writes).to.deep.equal([]);
    });

    it('leaves it to an agent that lives', async () => {
      cluster.nodeFacts.delete('n1');
      cluster.agents.add('n1');

      expect(await reconcile()).to.be.a('number');
      expect(cluster.writes).to.deep.equal([]);
    });

    it('leaves it to the agent of a Node that only memory does not know yet', async () => {
      cluster.nodeFacts.delete('n1');
      cluster.liveNodes.set('n1', readyNode);

      await reconcile();

      expect(cluster.writes).to.deep.equal([]);
    });

    it('waits for control to let go first', async () => {
      cluster.nodeFacts.delete('n1');
      cluster.change(name, { heldByControl: true });

      await reconcile();

      expect(cluster.writes).to.deep.equal([]);
    });
  });

  it('takes a claim only after the node was lost for the whole time without a break', async () => {
    const step = fc.record({
      ms: fc.integer({ min: 0, max: 8 * minute }),
      lost: fc.boolean(),
      restarted: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
        begin();
        given();
        let lostSince: number | undefined;
        for (const { ms, lost, restarted } of steps) {
          now += ms;
          nodeIs(lost ? unreachable : readyNode);
          lostSince = lost ? (lostSince ?? now) : undefined;
          reconcile = restarted ? open() : reconcile;
          await reconcile();
          const isTaken = cluster.claimObjects.get('shop/data')?.deleting === true;
          const isDue = lostSince !== undefined && now - lostSince >= 10 * minute;
          expect(isTaken).to.equal(isDue);
          if (isTaken) {
            return;
          }
        }
      }),
    );
  });
});
