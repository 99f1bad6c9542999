import { expect } from 'chai';
import { bytes } from '../../../src/model/bytes.ts';
import type { Rejection } from '../../../src/scheduling/filter.ts';
import { explainWait } from '../../../src/usecases/explain-wait.ts';
import { prioritizeNodes } from '../../../src/usecases/prioritize-nodes.ts';
import { wakePods } from '../../../src/usecases/wake-pods.ts';
import { aClaim, aClass, aPod, aVolume, need, room } from '../../support/facts.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';

describe('wakePods', () => {
  let cluster: FakeCluster;
  beforeEach(() => {
    cluster = new FakeCluster('n1', 100);
    cluster.classes.set('fast', aClass('fast'));
  });

  function waiting(name: string, size: number, change: Parameters<typeof aPod>[2] = {}): void {
    cluster.put(aClaim(name, size));
    cluster.podObjects.set(name, aPod(name, [name], change));
  }
  const wake = (node = 'n1') => wakePods(cluster)(node);

  it('wakes the most important and longest waiting first, and no more than fit', async () => {
    waiting('young', 40, { createdAt: 20 });
    waiting('old', 40, { createdAt: 10 });
    waiting('urgent', 40, { createdAt: 30, priority: 5 });

    await wake();

    expect(cluster.writes).to.deep.equal(['touch urgent', 'touch old']);
  });

  it('passes over one that is too large for one that fits', async () => {
    waiting('large', 80, { createdAt: 20 });
    waiting('first', 60, { createdAt: 10 });
    waiting('small', 40, { createdAt: 30 });

    await wake();

    expect(cluster.writes).to.deep.equal(['touch first', 'touch small']);
  });

  it('lets nobody sleep on because of one claim that cannot be served', async () => {
    waiting('absurd', 2 ** 52, { priority: 9 });
    waiting('broken', 10, { priority: 8 });
    cluster.put(aClaim('broken', 10, { lost: true }));
    waiting('fine', 10);

    await wake();

    expect(cluster.writes).to.deep.equal(['touch fine']);
  });

  it('wakes nobody who has a node, goes, has no claims, or is tied to another node', async () => {
    waiting('placed', 10, { nodeName: 'n1' });
    waiting('going', 10, { deleting: true });
    cluster.podObjects.set('plain', aPod('plain', []));
    waiting('tied', 10);
    cluster.put(aVolume(aClaim('tied', 10), 'n2'));

    await wake();
    await wake('unknown');

    expect(cluster.writes).to.deep.equal([]);
  });
});

describe('prioritizeNodes', () => {
  let cluster: FakeCluster;
  beforeEach(() => {
    cluster = new FakeCluster('n1', 100);
    cluster.addNode('n2', 50);
    cluster.addNode('n3', 5);
    cluster.classes.set('fast', aClass('fast'));
    cluster.put(aClaim('data', 10));
  });

  it('scores all nodes in their order, and those that do not fit with 0', async () => {
    const scores = await prioritizeNodes(cluster)(aPod('db', ['data']), ['n3', 'n2', 'n1', 'n9']);

    expect(scores).to.deep.equal([
      { node: 'n3', score: 0 },
      { node: 'n2', score: 0 },
      { node: 'n1', score: 10 },
      { node: 'n9', score: 0 },
    ]);
  });

  it('has no opinion where nothing new is placed', async () => {
    const scores = await prioritizeNodes(cluster)(aPod('db', []), ['n1', 'n2']);

    expect(scores.map(({ score }) => score)).to.deep.equal([0, 0]);
  });
});

describe('explainWait', () => {
  const lack = (free: number, kind: 'insufficient' | 'fragmented' = 'insufficient'): Rejection => ({
    ...{ kind, pool: 'fast', asked: bytes(2048), needed: bytes(2048) },
    room: room(free, { total: 4096, largest: Math.floor(free / 2) }),
  });
  const explain = (rejections: Record<string, Rejection>, refusal?: string): string =>
    explainWait({
      ...{ feasible: [], rejected: new Map<string, string>(), refusal },
      rejections: new Map(Object.entries(rejections)),
      needs: { pins: [], volumes: [need(2048)] },
    });

  it('says what is needed and what the three nearest have', () => {
    const text = explain({ a: lack(100), b: lack(1024), c: lack(1024), d: lack(0), e: lack(200) });

    expect(text).to.equal(
      'needs 2Ki in pool fast for shop/data; nearest: b has 1Ki of 4Ki free in fast, ' +
        'c has 1Ki of 4Ki free in fast, e has 200 of 4Ki free in fast',
    );
  });

  it('speaks of the largest piece where that is what lacks', () => {
    expect(explain({ a: lack(3000, 'fragmented') })).to.contain('a has 1.46Ki of 4Ki free');
  });

  it('counts the nodes that are out of the question, by why', () => {
    const text = explain({
      a: { kind: 'no-pool', pool: 'fast' },
      b: { kind: 'no-pool', pool: 'fast' },
      c: { kind: 'agent-silent' },
      d: { kind: 'unknown-node' },
      e: { kind: 'pinned', claim: 'shop/old' },
      f: { kind: 'pool-unhealthy', pool: 'fast' },
      g: { kind: 'report-unreadable', pool: 'fast' },
      h: { kind: 'no-hostname' },
    });

    expect(text).to.equal(
      'needs 2Ki in pool fast for shop/data; 2 node(s) without the pool, ' +
        '1 node(s) with a silent agent, 1 node(s) not known yet, ' +
        '1 node(s) that do not hold its volume, 1 node(s) with an unhealthy pool, ' +
        '1 node(s) with an unreadable report, 1 node(s) without the label kubernetes.io/hostname',
    );
  });

  it('says why the pod itself is at fault', () => {
    expect(explain({}, 'claim shop/data is lost')).to.equal('claim shop/data is lost');
  });

  it('fits into an event on a cluster of any size', () => {
    const many = Object.fromEntries(
      Array.from({ length: 5_000 }, (_, i) => [`node-${i}.example.com`, lack(i)]),
    );

    expect(explain(many).length).to.be.below(1_024);
  });
});
