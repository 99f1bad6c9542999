import { expect } from 'chai';
import { bytes } from '../../../src/model/bytes.ts';
import { ok } from '../../../src/model/result.ts';
import { BindLoad } from '../../../src/usecases/bind-load.ts';
import { BindLag } from '../../../src/scheduling/bind-lag.ts';
import { Holds } from '../../../src/scheduling/holds.ts';
import { bindPod, type BindPod } from '../../../src/usecases/bind-pod.ts';
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

const pod = aPod('db', ['data']);
const request = { namespace: 'shop', name: 'db', uid: pod.uid, node: 'n1' };

describe('bindPod', () => {
  let cluster: FakeCluster;
  let holds: Holds;
  let load: BindLoad;
  let sleeps: number[];
  let whileAsleep: () => void;
  let bind: BindPod;
  beforeEach(() => {
    cluster = new FakeCluster('n1', 100);
    cluster.addNode('n2', 100);
    cluster.classes.set('fast', aClass('fast'));
    cluster.podObjects.set('db', pod);
    cluster.put(aClaim('data', 10));
    holds = new Holds();
    load = new BindLoad();
    sleeps = [];
    whileAsleep = () => {};
    const { ledger, nodes, volumes, persistentVolumes, pods, lookup, eventSink } = cluster;
    const made = { ledger, nodes, volumes, persistentVolumes, log: silentLog };
    bind = bindPod({
      ...{ pods, lookup, nodes, holds, lag: new BindLag(), load, events: eventSink, now: () => 0 },
      provision: provision({ ...made, readyTimeoutMs: 1_000 }),
      sleep: async (ms) => {
        sleeps.push(ms);
        whileAsleep();
      },
    });
  });

  async function refusal(change: Partial<typeof request> = {}): Promise<string> {
    const result = await bind({ ...request, ...change });
    return result.ok ? 'no refusal' : result.error;
  }

  it('makes the volumes first and then binds the pod', async () => {
    expect(await refusal()).to.equal('no refusal');

    expect(cluster.writes).to.deep.equal([
      'ensure pvc-uid-data',
      'publish pvc-uid-data',
      'ensurePv pvc-uid-data',
      'bind db to n1',
    ]);
  });

  it('counts as under way until it has ended, well or not', async () => {
    cluster.before.set('ensure', () => expect(load.running).to.equal(1));
    await bind(request);
    cluster.breakAt('readPod');
    await bind(request);

    expect(load.running).to.equal(0);
  });

  it('binds a pod without claims of ours', async () => {
    cluster.podObjects.set('db', aPod('db', []));

    expect(await refusal()).to.equal('no refusal');
    expect(cluster.writes).to.deep.equal(['bind db to n1']);
  });

  it('ends the hold of the pod as soon as the space is promised, and in any case', async () => {
    const places = [{ node: 'n1', fit: [] }];
    holds.put(pod.uid, places, 1_000);
    cluster.before.set('ensure', () => {
      expect(holds.anyBut('another', 0)).to.equal(false);
      expect(cluster.ledger.room({ node: 'n1', pool: 'fast' })?.free).to.equal(90);
    });
    expect(await refusal()).to.equal('no refusal');

    holds.put(pod.uid, places, 1_000);
    cluster.breakAt('readPod');
    await bind(request);

    expect(holds.anyBut('another', 0)).to.equal(false);
  });

  for (const [what, change, text] of [
    ['is gone', undefined, 'pod shop/db with uid uid-db is gone'],
    ['was replaced', { uid: 'another' }, 'pod shop/db with uid uid-db is gone'],
    ['runs elsewhere', { nodeName: 'n2' }, 'pod runs on node n2 already'],
    ['is being deleted', { deleting: true }, 'pod shop/db is being deleted'],
  ] as const) {
    it(`writes nothing for a pod that ${what}`, async () => {
      cluster.podObjects.delete('db');
      if (change) {
        cluster.podObjects.set('db', { ...pod, ...change });
      }

      expect(await refusal()).to.equal(text);
      expect(cluster.writes).to.deep.equal([]);
    });
  }

  it('is done where the pod runs on that node already', async () => {
    cluster.podObjects.set('db', { ...pod, nodeName: 'n1' });

    expect(await refusal()).to.equal('no refusal');
    expect(cluster.writes).to.deep.equal([]);
  });

  it('is done where the API server refuses because another call has bound it there', async () => {
    cluster.before.set('bind', () => cluster.podObjects.set('db', { ...pod, nodeName: 'n1' }));

    expect(await refusal()).to.equal('no refusal');
  });

  for (const [what, change, text] of [
    ['elsewhere', { nodeName: 'n2' }, 'runs on node n2'],
    ['to another pod of the name', { uid: 'another', nodeName: 'n1' }, 'is gone'],
  ] as const) {
    it(`says so where the API server refuses because the node went ${what}`, async () => {
      cluster.before.set('bind', () => cluster.podObjects.set('db', { ...pod, ...change }));

      expect(await refusal()).to.equal(`the API server refused to bind the pod: it ${text}`);
    });
  }

  for (const [what, arrange, text] of [
    [
      'the pod was replaced',
      (one: FakeCluster) => one.podObjects.set('db', { ...pod, uid: 'another' }),
      'pod shop/db with uid uid-db is gone',
    ],
    [
      'the claim was replaced',
      (one: FakeCluster) =>
        one.put(aClaim('data', 10, { ref: { namespace: 'shop', name: 'data', uid: 'another' } })),
      'claim shop/data was deleted while its volume was made',
    ],
    [
      'the claim was deleted',
      (one: FakeCluster) => one.claimObjects.clear(),
      'claim shop/data was deleted while its volume was made',
    ],
  ] as const) {
    it(`binds nobody where ${what} while the volumes were made`, async () => {
      cluster.before.set('ensurePv', () => void arrange(cluster));

      expect(await refusal()).to.equal(text);
      expect(cluster.writes.filter((write) => write.startsWith('bind'))).to.deep.equal([]);
    });
  }

  it('keeps the volumes of a pod whose Binding failed, for the next try', async () => {
    cluster.breakAt('bind');
    const first = await refusal();
    const again = await refusal();

    expect(first).to.equal('bind of shop/db: bind failed');
    expect(again).to.equal('no refusal');
    expect(cluster.writes.filter((write) => write.startsWith('ensure '))).to.have.lengthOf(2);
    expect(cluster.localVolumes.size).to.equal(1);
  });

  it('joins a call that is at work for the same pod and node', async () => {
    const [first, second] = await Promise.all([bind(request), bind({ ...request })]);

    expect(first).to.equal(second);
    expect(cluster.writes.filter((write) => write.startsWith('bind'))).to.have.lengthOf(1);
  });

  it('does not join a call for another node, and only one of them wins', async () => {
    const results = await Promise.all([bind(request), bind({ ...request, node: 'n2' })]);

    expect(results.filter(({ ok }) => ok)).to.have.lengthOf(1);
    expect(cluster.localVolumes.size).to.equal(1);
  });

  it('starts anew after a call that failed', async () => {
    cluster.breakAt('readPod');

    expect(await refusal()).to.equal('bind of shop/db: readPod failed');
    expect(await refusal()).to.equal('no refusal');
  });

  it('refuses a node that a volume of the pod does not lie on', async () => {
    cluster.put(aVolume(aClaim('data', 10), 'n2'));

    expect(await refusal()).to.equal('the volume of claim shop/data is not on node n1');
  });

  it('refuses a node that the PersistentVolume of a bound claim does not admit', async () => {
    const claim = aClaim('data', 10, { volumeName: 'pvc-uid-data' });
    cluster.put(claim);
    cluster.persistentVolumeObjects.set('pvc-uid-data', aPersistentVolume(claim, 'n2'));

    expect(await refusal()).to.equal('the volume of claim shop/data is not on node n1');
    expect(await refusal({ node: 'n2' })).to.equal('no refusal');
  });

  for (const [how, change, text] of [
    ['is cordoned', { unschedulable: true }, 'is cordoned'],
    ['is not ready', { ready: 'False', said: 'KubeletNotReady' }, 'is not ready (KubeletNotReady)'],
    ['says nothing of itself', { ready: undefined }, 'is not ready (it does not say how it is)'],
  ] as const) {
    it(`makes nothing new on a node that ${how}, and tells the owner of the pod`, async () => {
      cluster.addNode('n1', 100, 'fast', { state: { ...readyNode, ...change } });

      const expected = `node n1 ${text}: no new volumes are made on it`;
      expect(await refusal()).to.equal(expected);
      expect(cluster.writes).to.deep.equal([]);
      expect(cluster.events).to.deep.equal([`Pod db BerthBindFailed: ${expected}`]);
    });

    it(`goes on with what is made already on a node that ${how}`, async () => {
      cluster.put(aVolume(aClaim('data', 10), 'n1', { status: { phase: 'Ready' } }));
      cluster.addNode('n1', 100, 'fast', { state: { ...readyNode, ...change } });

      expect(await refusal()).to.equal('no refusal');
    });
  }

  it('makes volumes on a cordoned node for a pod that tolerates it', async () => {
    cluster.addNode('n1', 100, 'fast', { state: { ...readyNode, unschedulable: true } });
    cluster.podObjects.set('db', { ...pod, toleratesCordon: true });

    expect(await refusal()).to.equal('no refusal');
  });

  it('refuses without room, and tells the owner of the pod', async () => {
    cluster.put(aClaim('data', 101));

    expect(await refusal()).to.contain('pool fast has 100 free, 101 are needed with overhead');
    expect(cluster.events).to.have.lengthOf(1);
    expect(cluster.events[0]).to.match(/^Pod db BerthBindFailed: node n1: pool fast has 100 free/);
    expect(cluster.writes).to.deep.equal([]);
  });

  it('does not bind where a volume could not be made', async () => {
    cluster.agent = () => ({ phase: 'Failed', message: 'disk on fire' });

    expect(await refusal()).to.contain('disk on fire');
    expect(cluster.writes.filter((write) => write.startsWith('bind'))).to.deep.equal([]);
  });

  for (const call of ['readPod', 'lookup', 'ensure', 'publish', 'ensurePv', 'bind', 'wait']) {
    it(`answers with a text when the API server fails at ${call}`, async () => {
      cluster.breakAt(call);

      expect(await refusal()).to.equal(`bind of shop/db: ${call} failed`);
    });
  }

  describe('with a generic ephemeral volume', () => {
    const asked = { requested: ok(bytes(5)), volumeMode: 'Filesystem' } as const;
    const claims = [{ name: 'db-tmp', template: { className: 'fast', ...asked } }];
    beforeEach(() => cluster.podObjects.set('db', { ...pod, claims }));

    it('waits for its claim, and makes that', async () => {
      whileAsleep = () => {
        if (sleeps.length === 3) {
          cluster.put(aClaim('db-tmp', 5, { ownerPod: pod }));
        }
      };

      expect(await refusal()).to.equal('no refusal');
      expect(sleeps).to.have.lengthOf(3);
      expect([...cluster.localVolumes.keys()]).to.deep.equal(['pvc-uid-db-tmp']);
    });

    it('gives up within the time that a scheduler waits', async () => {
      expect(await refusal()).to.contain('have not been made');
      expect(sleeps.reduce((a, b) => a + b)).to.be.below(5_000);
      expect(cluster.writes).to.deep.equal([]);
    });
  });
});
