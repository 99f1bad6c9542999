import { expect } from 'chai';
import { bytes } from '../../../src/model/bytes.ts';
import { BindLag } from '../../../src/scheduling/bind-lag.ts';
import { Holds } from '../../../src/scheduling/holds.ts';
import { filterNodes, judgeNodes } from '../../../src/usecases/filter-nodes.ts';
import { aClaim, aClass, aPod, aVolume } from '../../support/facts.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';

const first = aPod('first', ['one']);
const second = aPod('second', ['two']);

describe('filterNodes', () => {
  let cluster: FakeCluster;
  let holds: Holds;
  let lag: BindLag;
  let load: { running: number };
  let now: number;
  let pauses: number[];
  /** What happens while a filter waits. */
  let meanwhile: () => void;
  let changesAfterMs: number;
  beforeEach(() => {
    cluster = new FakeCluster('n1', 100);
    cluster.addNode('n2', 50);
    cluster.classes.set('fast', aClass('fast'));
    cluster.put(aClaim('one', 40), aClaim('two', 40));
    holds = new Holds();
    lag = new BindLag();
    load = { running: 0 };
    now = 0;
    pauses = [];
    meanwhile = () => {};
    changesAfterMs = Infinity;
  });

  function ports() {
    const nextChange = async (ms: number): Promise<void> => {
      pauses.push(ms);
      now += Math.min(ms, changesAfterMs);
      meanwhile();
    };
    const { lookup, nodes } = cluster;
    return { lookup, nodes, holds, lag, load, now: () => now, nextChange };
  }
  const filter = (pod = first, nodes: readonly string[] = ['n1', 'n2']) =>
    filterNodes(ports())(pod, nodes);

  it('lets binds catch up when too many are under way', async () => {
    load.running = 48;
    changesAfterMs = 100;
    meanwhile = () => (load.running -= now > 250 ? 1 : 0);
    const { feasible } = await filter();

    expect(now).to.equal(300);
    expect(feasible).to.deep.equal(['n1', 'n2']);
  });

  it('holds a pod up for two seconds at most', async () => {
    load.running = 1_000;
    changesAfterMs = 100;
    await filter();

    expect(now).to.equal(2_000);
  });

  it('gives the nodes with room, and every other with its reason', async () => {
    cluster.put(aClaim('one', 60));

    const { feasible, rejected } = await filter(first, ['n1', 'n2', 'n3']);

    expect(feasible).to.deep.equal(['n1']);
    expect([...rejected]).to.deep.equal([
      ['n2', 'berth: less than 60 free in pool fast'],
      ['n3', 'berth: node is not known yet'],
    ]);
  });

  it('passes all nodes of a pod that has nothing to do with us', async () => {
    const { feasible, rejected } = await filter(aPod('other', []), ['n1', 'n9']);

    expect(feasible).to.deep.equal(['n1', 'n9']);
    expect(rejected.size).to.equal(0);
  });

  it('tells every node why the pod itself cannot be placed', async () => {
    const { feasible, rejected, refusal } = await filter(aPod('bad', ['gone']));

    expect(feasible).to.deep.equal([]);
    expect(refusal).to.equal('claim shop/gone does not exist');
    expect([...rejected]).to.deep.equal(
      ['n1', 'n2'].map((node) => [node, 'berth: claim shop/gone does not exist']),
    );
  });

  it('admits the node alone where a volume of the pod lies', async () => {
    const claim = aClaim('one', 40);
    cluster.put(aVolume(claim, 'n2'));

    const { feasible, rejected } = await filter();

    expect(feasible).to.deep.equal(['n2']);
    expect(rejected.get('n1')).to.equal('berth: volume of claim shop/one is on another node');
  });

  it('gives first the nodes that fit beside a pod whose bind is awaited', async () => {
    await filter(first);

    const { feasible } = await filter(second);

    expect(feasible).to.deep.equal(['n1']);
    expect(pauses).to.deep.equal([]);
  });

  it('waits for the bind of the pod before where only that stands in the way, then sees the truth', async () => {
    await filter(first, ['n2']);
    meanwhile = () => {
      now = 10;
      const wanted = { claimUid: 'uid-one', node: 'n2', pool: 'fast', allocated: bytes(40) };
      cluster.ledger.reserve([wanted]);
      holds.end(first.uid);
    };

    const { feasible, rejected } = await filter(second, ['n2']);

    expect(pauses).to.deep.equal([1000]);
    expect(feasible).to.deep.equal([]);
    expect(rejected.get('n2')).to.equal('berth: less than 40 free in pool fast');
  });

  it('takes the node when the pod before went elsewhere', async () => {
    await filter(first, ['n2']);
    meanwhile = () => holds.end(first.uid);

    const { feasible } = await filter(second, ['n2']);

    expect(feasible).to.deep.equal(['n2']);
  });

  it('minds no hold whose bind does not come', async () => {
    await filter(first, ['n2']);

    const { feasible } = await filter(second, ['n2']);

    expect(feasible).to.deep.equal(['n2']);
    expect(now).to.equal(1000);
  });

  it('waits longer for a bind that has come, and then leaves the last word to the next', async () => {
    await filter(first, ['n2']);
    holds.settle(first.uid, 'n2');

    const { feasible } = await filter(second, ['n2']);

    expect(feasible).to.deep.equal(['n2']);
    expect(now).to.equal(3000);
  });

  it('is free to give the nodes that the bind of the pod before did not choose', async () => {
    await filter(first, ['n1', 'n2']);
    holds.settle(first.uid, 'n1');

    const { feasible } = await filter(second, ['n2']);

    expect(feasible).to.deep.equal(['n2']);
    expect(pauses).to.deep.equal([]);
  });

  it('waits on through changes that do not help, but never beyond its patience', async () => {
    await filter(first, ['n2']);
    holds.settle(first.uid, 'n2');
    changesAfterMs = 800;

    await filter(second, ['n2']);

    expect(pauses).to.deep.equal([1000, 1000, 1000, 600]);
  });

  it('answers at once where nothing fits, held or not', async () => {
    cluster.put(aClaim('two', 500));
    await filter(first);

    const { feasible } = await filter(second);

    expect(feasible).to.deep.equal([]);
    expect(pauses).to.deep.equal([]);
  });

  it('holds nothing for a pod that fits nowhere', async () => {
    cluster.put(aClaim('one', 500));

    await filter(first);

    expect(holds.anyBut('another', now)).to.equal(false);
  });

  it('ends the hold of a pod that fits nowhere any more', async () => {
    await filter(first);
    cluster.put(aClaim('one', 500));

    await filter(first);

    expect(holds.anyBut('another', now)).to.equal(false);
  });

  it('does not stand in its own way when it is filtered again', async () => {
    await filter(first, ['n2']);

    const { feasible } = await filter(first, ['n2']);

    expect(feasible).to.deep.equal(['n2']);
    expect(pauses).to.deep.equal([]);
  });

  it('lets a hold lapse whose bind never came', async () => {
    await filter(first, ['n2']);
    now = 1000;

    const { feasible } = await filter(second, ['n2']);

    expect(feasible).to.deep.equal(['n2']);
    expect(pauses).to.deep.equal([]);
  });

  it('refuses every node to a claim of absurd size', async () => {
    cluster.put(aClaim('one', 2 ** 52), aClaim('two', 2 ** 52));
    const greedy = aPod('greedy', ['one', 'two']);

    const { rejected } = await filter(greedy);

    expect([...rejected.keys()]).to.deep.equal(['n1', 'n2']);
  });

  it('holds room for longer where binds have come late', async () => {
    await filter(first, ['n2']);
    now += 900;
    lag.bindCame(first.uid, now);
    holds.end(first.uid);
    await filter(first, ['n2']);

    expect(holds.anyBut('another', now + 2_600)).to.equal(true);
    expect(holds.anyBut('another', now + 2_700)).to.equal(false);
  });

  it('judges for people without waiting and without holding', async () => {
    await filter(first, ['n2']);

    const { feasible } = await judgeNodes(ports())(second, ['n2']);
    holds.end(first.uid);

    expect(feasible).to.deep.equal(['n2']);
    expect(pauses).to.deep.equal([]);
    expect(holds.anyBut('another', now)).to.equal(false);
  });
});
