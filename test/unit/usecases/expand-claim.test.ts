import { expect } from 'chai';
import { bytes, MiB } from '../../../src/model/bytes.ts';
import type { Claim } from '../../../src/model/claim.ts';
import { volumeName } from '../../../src/model/names.ts';
import type { LocalVolume } from '../../../src/model/volume.ts';
import { expandClaims, type ClaimExpansion } from '../../../src/usecases/expand-claim.ts';
import { aClaim, aPersistentVolume, aVolume } from '../../support/facts.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';
import { rejection } from '../../support/rejection.ts';

const name = volumeName('uid-data');

describe('expandClaims', () => {
  let cluster: FakeCluster;
  let expansion: ClaimExpansion;

  beforeEach(() => {
    cluster = new FakeCluster('n1', 100);
    const { claims, volumes, persistentVolumes, nodes, ledger, eventSink: events } = cluster;
    expansion = expandClaims({ claims, volumes, persistentVolumes, nodes, ledger, events });
  });

  /** A bound claim of 10 bytes that asks for `wanted`. */
  function given(
    wanted: number,
    volume: Partial<LocalVolume> = {},
    change: Partial<Claim> = {},
  ): void {
    const had = aClaim('data', 10);
    cluster.put({
      ...had,
      ...{ requested: { ok: true, value: bytes(wanted) }, volumeName: name },
      ...{ capacity: bytes(10), ...change },
    });
    const of10 = { allocatedBytes: bytes(10), bytes: bytes(10), generation: 1 };
    const status = { phase: 'Ready', ...of10 } as const;
    cluster.put(aVolume(had, 'n1', { published: true, status, ...volume }));
    cluster.persistentVolumeObjects.set(name, aPersistentVolume(had, 'n1'));
  }

  const { signal } = new AbortController();
  const reconcile = () => expansion.reconcile('shop/data', signal);
  const free = () => cluster.ledger.room({ node: 'n1', pool: 'fast' })?.free;
  const agentGrows = () => {
    const volume = cluster.localVolumes.get(name);
    const size = volume?.spec.bytes ?? bytes(0);
    const status = { bytes: size, allocatedBytes: size, generation: 2 };
    cluster.change(name, { status: { phase: 'Ready', ...status } });
  };

  it('promises the room, waits for the agent, and tells what there is then', async () => {
    given(60);
    await reconcile();
    expect(cluster.writes).to.deep.equal([`promise ${name}`]);
    expect(free()).to.equal(50);
    await reconcile();
    expect(cluster.writes).to.have.length(1);

    agentGrows();
    await reconcile();
    await reconcile();
    expect(cluster.writes).to.deep.equal([`promise ${name}`, `growPv ${name}`, 'growClaim data']);
    expect(cluster.claimObjects.get('shop/data')?.capacity).to.equal(60);
    expect(cluster.events.join('\n')).to.match(/VolumeExpanding: from 10 to 60/);
    expect(cluster.events.filter((text) => text.includes('VolumeExpanded'))).to.have.length(1);
  });

  it('keeps the room while the promise is written', async () => {
    given(60);
    const seen: unknown[] = [];
    cluster.before.set('promise', () => void seen.push(free()));
    await reconcile();

    expect(seen).to.deep.equal([50]);
  });

  it('gives the room back when the promise cannot be written', async () => {
    given(60);
    cluster.breakAt('promise');

    expect((await rejection(reconcile())).message).to.include('promise failed');
    expect(free()).to.equal(100);
  });

  it('looks again soon where another hand was faster', async () => {
    given(60);
    cluster.before.set('promise', () => void cluster.change(name, {}));

    expect(await reconcile()).to.be.above(0);
    expect(free()).to.equal(100);
  });

  it('waits without room, says so once per size, and goes on when there is some', async () => {
    given(300);
    await reconcile();
    await reconcile();

    expect(cluster.writes).to.deep.equal([]);
    expect(cluster.events).to.have.length(1);
    expect(cluster.events[0]).to.match(/needs 290 more .* for shop\/data; n1 has 100 of 1000/);
    expect(expansion.waitingOn('n1')).to.deep.equal(['shop/data']);
    expect(expansion.waitingOn('n2')).to.deep.equal([]);
    cluster.put({ ...aClaim('data', 310), volumeName: name, capacity: bytes(10) });
    await reconcile();
    expect(cluster.events).to.have.length(2);

    cluster.addNode('n1', 800);
    await reconcile();
    expect(cluster.writes).to.deep.equal([`promise ${name}`]);
    expect(expansion.waitingOn('n1')).to.deep.equal([]);
  });

  it('follows a claim that goes back to what it has', async () => {
    given(300);
    await reconcile();
    cluster.put({ ...aClaim('data', 10), volumeName: name, capacity: bytes(10) });
    await reconcile();

    expect(expansion.waitingOn('n1')).to.deep.equal([]);
    expect(cluster.writes).to.deep.equal([]);
  });

  it('asks nothing of a node whose agent is silent, or that is not known', async () => {
    given(60);
    cluster.addNode('n1', 100, 'fast', { alive: false });
    await reconcile();
    cluster.nodeFacts.delete('n1');
    await reconcile();

    expect(cluster.writes).to.deep.equal([]);
    expect(cluster.events[0]).to.include('silent');
    expect(expansion.waitingOn('n1')).to.deep.equal(['shop/data']);
  });

  it('asks for no btrfs that the kernel would refuse', async () => {
    given(60 * MiB, { spec: { ...aVolume(aClaim('data', 10), 'n1').spec, fsType: 'btrfs' } });
    await reconcile();

    expect(cluster.writes).to.deep.equal([]);
    expect(cluster.events[0]).to.include('256Mi');
  });

  it('ends what others have said of growing when nothing is left to do', async () => {
    given(10, {}, { isResizing: true });
    await reconcile();

    expect(cluster.writes).to.deep.equal(['growClaim data']);
    expect(cluster.events).to.deep.equal([]);
  });

  for (const [what, arrange] of [
    ['that is bound elsewhere', () => given(60, {}, { volumeName: 'pv-1' })],
    ['that is deleted', () => given(60, {}, { deleting: true })],
    ['whose volume is deleted', () => given(60, { deleting: true })],
    ['whose volume was not handed over', () => given(60, { published: false })],
    ['whose volume is lost', () => given(60, { status: { phase: 'Lost', bytes: bytes(10) } })],
    ['whose agent does not tell sizes', () => given(60, { status: { phase: 'Ready' } })],
  ] as const) {
    it(`leaves a claim alone ${what}`, async () => {
      arrange();
      await reconcile();

      expect(cluster.writes).to.deep.equal([]);
      expect(cluster.events).to.deep.equal([]);
    });
  }
});
