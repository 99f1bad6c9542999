import { expect } from 'chai';
import { bytes } from '../../../src/model/bytes.ts';
import type { Claim } from '../../../src/model/claim.ts';
import type { LocalVolume } from '../../../src/model/volume.ts';
import type { VolumeStore } from '../../../src/usecases/cluster.ts';
import { provision } from '../../../src/usecases/provision.ts';
import type { UnboundClaim } from '../../../src/usecases/resolve-needs.ts';
import { aClaim, aClass, aVolume, need } from '../../support/facts.ts';
import { FakeCluster, silentLog } from '../../support/fake-cluster.ts';

function unbound(claim: Claim): UnboundClaim {
  const volumeClass = aClass('fast');
  const { uid, name } = claim.ref;
  const size = claim.requested.ok ? claim.requested.value : 0;
  const one = need(size, { claimUid: uid, claim: `shop/${name}` });
  const { parameters } = volumeClass;
  if (!parameters.ok) {
    throw new Error(parameters.error);
  }
  return { claim, volumeClass, parameters: parameters.value, need: one };
}

const data = aClaim('data', 10);
const logs = aClaim('logs', 20);
const dataName = 'pvc-uid-data';
const logsName = 'pvc-uid-logs';

describe('provision', () => {
  let cluster: FakeCluster;
  beforeEach(() => {
    cluster = new FakeCluster();
  });

  function run(claims: readonly Claim[] = [data, logs], node = 'n1', reserved?: () => void) {
    const { ledger, nodes, volumes, persistentVolumes } = cluster;
    const ports = { ledger, nodes, volumes, persistentVolumes, log: silentLog };
    return provision({ ...ports, readyTimeoutMs: 1_000 })(claims.map(unbound), node, reserved);
  }

  async function failure(claims?: readonly Claim[], node?: string): Promise<string> {
    const result = await run(claims, node);
    return result.ok ? 'no failure' : `${result.error.kind}: ${result.error.message}`;
  }

  const promised = (): boolean =>
    [data, logs].some(({ ref }) => cluster.ledger.reservationOf(ref.uid) !== undefined);
  const waits = (name: string): boolean => cluster.localVolumes.get(name)?.deleting !== true;

  it('makes every volume, publishes it, and only then its PersistentVolume', async () => {
    const result = await run();

    expect(result.ok).to.equal(true);
    for (const name of [dataName, logsName]) {
      expect(cluster.writes.filter((write) => write.endsWith(name))).to.deep.equal([
        `ensure ${name}`,
        `publish ${name}`,
        `ensurePv ${name}`,
      ]);
    }
    expect(promised()).to.equal(false);
    expect(cluster.ledger.room({ node: 'n1', pool: 'fast' })?.free).to.equal(70);
  });

  it('holds the space before anything is written', async () => {
    let writesThen = -1;
    await run([data], 'n1', () => (writesThen = cluster.writes.length));

    expect(writesThen).to.equal(0);
  });

  it('writes nothing where the space is not there for all', async () => {
    const large = aClaim('logs', 95);

    expect(await failure([data, large])).to.match(/^no-room: node n1: pool fast has 100 free, 105/);
    expect(cluster.writes).to.deep.equal([]);
    expect(promised()).to.equal(false);
  });

  it('writes nothing on a node that is silent, unknown, or without the pool', async () => {
    cluster.addNode('n2', 100, 'fast', { alive: false });
    cluster.addNode('n3', 100, 'slow');
    cluster.addNode('n4', 100, 'fast', {
      pool: () => ({
        ...{ healthy: false, problem: 'has an unreadable report' },
        ...{ gives: 'device', allocatedFor: bytes },
      }),
    });

    expect(await failure([data], 'n2')).to.equal(
      'no-room: node n2: the agent of the node is silent',
    );
    expect(await failure([data], 'n9')).to.equal('no-room: node n9: the node is not known');
    expect(await failure([data], 'n3')).to.equal('no-room: node n3: pool fast is not on the node');
    expect(await failure([data], 'n4')).to.contain('pool fast has an unreadable report');
    expect(cluster.writes).to.deep.equal([]);
  });

  for (const [call, nth] of [
    ['ensure', 1],
    ['ensure', 2],
    ['wait', 1],
    ['wait', 2],
    ['publish', 1],
    ['publish', 2],
    ['ensurePv', 1],
    ['ensurePv', 2],
  ] as const) {
    it(`gives back what is not published when call ${nth} of ${call} breaks, and ends the promise`, async () => {
      cluster.breakAt(call, nth);

      const thrown: unknown = await run().catch((error: unknown) => error);

      expect(thrown).to.be.an('error').with.property('message', `${call} failed`);
      expect(promised()).to.equal(false);
      // One of them is published: their pod is tied to the node, so all of them stay there.
      const handedOver = cluster.localVolumes.get(dataName)?.published === true;
      for (const volume of cluster.localVolumes.values()) {
        expect(volume.deleting).to.equal(!handedOver);
        expect(volume.heldByControl).to.equal(handedOver);
      }
    });

    it(`succeeds at the second try after call ${nth} of ${call} broke`, async () => {
      cluster.breakAt(call, nth);
      await run().catch(() => undefined);
      cluster.before.clear();

      const again = await run();

      expect(again.ok).to.equal(true);
      expect([...cluster.persistentVolumeObjects.keys()].sort()).to.deep.equal([
        dataName,
        logsName,
      ]);
      expect([...cluster.localVolumes.values()].every((one) => one.published)).to.equal(true);
      expect(cluster.ledger.room({ node: 'n1', pool: 'fast' })?.free).to.equal(70);
    });
  }

  it('gives all back when the agent fails to make one', async () => {
    cluster.agent = ({ name }) =>
      name === logsName ? { phase: 'Failed', message: 'disk on fire' } : { phase: 'Ready' };

    expect(await failure()).to.equal(
      'not-made: node n1 could not make 20 in pool fast: disk on fire',
    );
    expect([waits(dataName), waits(logsName)]).to.deep.equal([false, false]);
    expect(cluster.persistentVolumeObjects.size).to.equal(0);
  });

  it('gives all back when the agent says nothing in time', async () => {
    cluster.agent = ({ status }) => status;

    expect(await failure()).to.contain('no answer from its agent within 1000 ms');
    expect([waits(dataName), waits(logsName)]).to.deep.equal([false, false]);
  });

  it('makes the PersistentVolume of a published volume also where the pool takes no new ones', async () => {
    cluster.put(aVolume(data, 'n1', { published: true, status: { phase: 'Ready', path: '/x' } }));
    cluster.addNode('n1', 0, 'fast', { alive: false, pool: () => undefined });

    expect((await run([data])).ok).to.equal(true);
    expect(cluster.writes).to.include(`ensurePv ${dataName}`);
    expect(await failure([data, logs])).to.equal(
      'no-room: node n1: the agent of the node is silent',
    );
  });

  it('hands over what follows a published volume also where the pool takes no new ones', async () => {
    const ready = { status: { phase: 'Ready', path: '/x' } } as const;
    const first = aVolume(data, 'n1', { ...ready, published: true });
    const follows = { name: first.name, uid: first.uid };
    cluster.put(first, aVolume(logs, 'n1', { ...ready, follows }));
    cluster.addNode('n1', 0, 'fast', { alive: false, pool: () => undefined });

    expect((await run([logs])).ok).to.equal(true);
    expect(cluster.writes).to.include(`ensurePv ${logsName}`);
  });

  it('never gives a published volume back', async () => {
    cluster.put(aVolume(data, 'n1', { published: true, status: { phase: 'Ready' } }));
    cluster.agent = () => ({ phase: 'Failed', message: 'full' });

    await run();

    expect(waits(dataName)).to.equal(true);
  });

  describe('once the first volume of several is published', () => {
    for (const [call, nth] of [
      ['publish', 2],
      ['ensurePv', 1],
      ['ensurePv', 2],
    ] as const) {
      it(`keeps all space on the node when call ${nth} of ${call} breaks, so the next try ends it`, async () => {
        cluster = new FakeCluster('n1', 30);
        cluster.breakAt(call, nth);
        await run().catch(() => undefined);
        cluster.before.clear();

        const thief = await failure([aClaim('thief', 1)]);
        const again = await run();

        expect(thief).to.match(/^no-room/);
        expect(again.ok).to.equal(true);
        expect(cluster.persistentVolumeObjects.size).to.equal(2);
      });
    }

    it('gives nothing back when the next try fails too, or comes for some of the claims only', async () => {
      cluster.breakAt('publish', 2);
      await run().catch(() => undefined);
      cluster.breakAt('wait');
      await run([logs]).catch(() => undefined);
      cluster.breakAt('ensure', 2);
      await run().catch(() => undefined);

      expect([waits(dataName), waits(logsName)]).to.deep.equal([true, true]);
      expect(cluster.ledger.room({ node: 'n1', pool: 'fast' })?.free).to.equal(70);
    });

    it('takes over a volume that was made alone before', async () => {
      cluster.put(aVolume(logs, 'n1', { status: { phase: 'Ready' } }));
      cluster.breakAt('publish', 2);
      await run().catch(() => undefined);

      const { uid = '' } = cluster.localVolumes.get(dataName) ?? {};
      expect(cluster.localVolumes.get(logsName)?.follows).to.deep.equal({ name: dataName, uid });
      expect(waits(logsName)).to.equal(true);
    });
  });

  it('publishes nothing where one of the others was given back while it was taken over', async () => {
    cluster.put(aVolume(logs, 'n1', { status: { phase: 'Ready' } }));
    cluster.before.set('follow', () => cluster.change(logsName, { deleting: true }));

    expect(await failure()).to.match(/^changed: volume pvc-uid-logs was changed/);
    expect(cluster.localVolumes.get(dataName)?.published).to.equal(false);
    expect(waits(dataName)).to.equal(false);
  });

  it('leaves a volume alone that another try has made its own while this one gave up', async () => {
    let reads = 0;
    cluster.agent = () => ({ phase: 'Failed', message: 'full' });
    cluster.before.set('read', () => {
      reads += 1;
      // The first has just gone; now comes the turn of the other.
      if (reads === 3) {
        cluster.removeVolume(dataName);
        cluster.put(aVolume(data, 'n1', { uid: 'anew', status: { phase: 'Ready' } }));
        cluster.change(logsName, { follows: { name: dataName, uid: 'anew' } });
      }
    });

    await run();

    expect(waits(logsName)).to.equal(true);
  });

  it('uses no node without the label that its volumes would name', async () => {
    cluster.addNode('n2', 100, 'fast', { labels: {} });

    expect(await failure([data], 'n2')).to.equal(
      'no-room: node n2 has no label kubernetes.io/hostname, which its volumes need',
    );
    expect(cluster.writes).to.deep.equal([]);
  });

  it('does not use the volume that the claim has on another node, nor touch it', async () => {
    cluster.put(aVolume(data, 'n2', { status: { phase: 'Ready' } }));

    expect(await failure()).to.equal(
      'elsewhere: claim shop/data has its volume in pool fast of node n2',
    );
    expect(waits(dataName)).to.equal(true);
    expect(cluster.localVolumes.has(logsName)).to.equal(false);
  });

  it('finds what an earlier call has left and goes on from there', async () => {
    cluster.put(aVolume(data, 'n1', { status: { phase: 'Ready' } }));

    const result = await run([data]);

    expect(result.ok).to.equal(true);
    expect(cluster.localVolumes.get(dataName)?.uid).to.equal('volume-uid-data');
  });

  it('does no harm when everything is done already', async () => {
    await run();
    const [free, pvs] = [cluster.ledger.room({ node: 'n1', pool: 'fast' })?.free, 2];

    const again = await run();

    expect(again.ok).to.equal(true);
    expect(cluster.ledger.room({ node: 'n1', pool: 'fast' })?.free).to.equal(free);
    expect(cluster.persistentVolumeObjects.size).to.equal(pvs);
    expect(cluster.writes.filter((write) => write.startsWith('publish'))).to.have.lengthOf(2);
  });

  it('waits for a volume of the claim to go that was just given back', async () => {
    cluster.put(aVolume(data, 'n2', { deleting: true }));

    const result = await run([data]);

    expect(result.ok).to.equal(true);
    expect(cluster.localVolumes.get(dataName)?.spec.node).to.equal('n1');
  });

  it('gives up where that one does not go', async () => {
    cluster.put(aVolume(data, 'n2', { deleting: true }));
    Object.assign(cluster.volumes, { waitUntil: async () => false });

    expect(await failure([data])).to.equal(
      'elsewhere: the last volume of claim shop/data is still being removed on node n2',
    );
  });

  it('is not misled by what memory still shows of a namesake', async () => {
    cluster.stale.set(dataName, aVolume(data, 'n1', { uid: 'older', deleting: true }));
    let told = 0;
    const usual = { ...cluster.volumes };
    Object.assign(cluster.volumes, {
      waitUntil: async (...args: Parameters<VolumeStore['waitUntil']>) => {
        const [name, done] = args;
        told += done(cluster.volumes.get(name)) ? 1 : 0;
        cluster.stale.clear();
        return usual.waitUntil(...args);
      },
    });

    const result = await run([data]);

    expect(result.ok).to.equal(true);
    expect(told).to.equal(0);
  });

  it('publishes once more when the agent wrote in between', async () => {
    let seen = 0;
    cluster.before.set('publish', () => {
      seen += 1;
      if (seen === 1) {
        cluster.change(dataName, { status: { phase: 'Ready', generation: 2 } });
      }
    });

    const result = await run([data]);

    expect([result.ok, seen]).to.deep.equal([true, 2]);
    expect(cluster.localVolumes.get(dataName)?.published).to.equal(true);
  });

  it('hands nothing over that another hand has deleted meanwhile', async () => {
    cluster.before.set('publish', () => cluster.change(dataName, { deleting: true }));

    expect(await failure([data])).to.match(/^changed: volume pvc-uid-data was changed/);
    expect(cluster.persistentVolumeObjects.size).to.equal(0);
  });

  it('publishes nothing that another call has given back since it was Ready', async () => {
    const others: readonly Partial<LocalVolume>[] = [{ deleting: true }, { uid: 'made anew' }];
    for (const change of others) {
      cluster = new FakeCluster();
      cluster.before.set('publish', () => cluster.change(logsName, change));

      expect(await failure([data, logs])).to.match(/^changed: volume pvc-uid-logs was changed/);
      expect(cluster.writes).not.to.include(`publish ${logsName}`);
      expect([...cluster.persistentVolumeObjects.keys()]).not.to.include(logsName);
    }
  });

  it('lets only one of two calls have the last space', async () => {
    const [one, two] = [aClaim('one', 60), aClaim('two', 60)];

    const results = await Promise.all([run([one]), run([two])]);

    expect(results.map(({ ok }) => ok)).to.deep.equal([true, false]);
  });

  it('does not take a claim to two nodes at once', async () => {
    cluster.addNode('n2', 100);

    const results = await Promise.all([run([data], 'n1'), run([data], 'n2')]);

    expect(results.map(({ ok }) => ok)).to.deep.equal([true, false]);
    expect(cluster.localVolumes.get(dataName)?.spec.node).to.equal('n1');
  });
});
