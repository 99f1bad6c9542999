import { expect } from 'chai';
import { NodeIndex, type PoolRules } from '../../../src/kube/node-index.ts';
import type { Lease, Node } from '../../../src/kube/objects.ts';
import { bytes } from '../../../src/model/bytes.ts';
import { Ledger } from '../../../src/scheduling/ledger.ts';

const silentAfterMs = 120_000;
const startedAt = Date.UTC(2026, 0, 1);
const report = '{"total":100,"free":60,"largest":50,"generation":7,"healthy":true}';

function node(annotations: Record<string, string>, name = 'n1'): Node {
  const labels = { 'kubernetes.io/hostname': `${name}.example.com` };
  return { metadata: { name, labels, annotations } };
}

function heartbeat(at: number, holder = 'n1'): Lease {
  const renewTime = `${new Date(at).toISOString().slice(0, -1)}000Z`;
  return { spec: { holderIdentity: holder, renewTime } };
}

describe('NodeIndex', () => {
  let ledger: Ledger;
  let index: NodeIndex;
  let now: number;
  let rule: ReturnType<PoolRules>;
  beforeEach(() => {
    ledger = new Ledger();
    now = startedAt;
    rule = { gives: 'directory', allocatedFor: (size) => bytes(size + 5) };
    index = new NodeIndex({ ledger, poolRules: () => rule, now: () => now, silentAfterMs });
  });

  it('takes over the reports, and what else is written on a node not', () => {
    index.putNode(node({ 'capacity.berth.dev/fast': report, 'other.dev/slow': report }));

    const facts = index.node('n1');
    expect(facts?.poolNames).to.deep.equal(['fast']);
    expect(facts?.labels).to.deep.equal({ 'kubernetes.io/hostname': 'n1.example.com' });
    expect(facts?.pool('fast')).to.deep.include({
      healthy: true,
      problem: undefined,
      room: { total: 100, free: 60, largest: 50, inFlight: 0 },
    });
    expect(facts?.pool('fast')?.allocatedFor(bytes(10))).to.equal(15);
    expect(facts?.pool('fast')?.gives).to.equal('directory');
    expect(facts?.pool('slow')).to.equal(undefined);
  });

  it('answers from the ledger as it is when it is asked', () => {
    index.putNode(node({ 'capacity.berth.dev/fast': report }));
    const facts = index.node('n1');

    const allocated = bytes(20);
    ledger.reserve([{ node: 'n1', pool: 'fast', claimUid: 'a', allocated }]);

    expect(facts?.pool('fast')?.room?.free).to.equal(40);
  });

  for (const text of [
    '',
    'much',
    '{}',
    '[]',
    '{"total":1e300}',
    `${'['.repeat(50_000)}${']'.repeat(50_000)}`,
  ]) {
    it(`takes the report ${text.slice(0, 20)} for a problem, and never for room`, () => {
      index.putNode(node({ 'capacity.berth.dev/fast': report, 'capacity.berth.dev/slow': report }));
      index.putNode(node({ 'capacity.berth.dev/fast': text, 'capacity.berth.dev/slow': report }));

      const pool = index.node('n1')?.pool('fast');
      expect(pool?.healthy).to.equal(false);
      expect(pool?.room).to.equal(undefined);
      expect(pool?.problem).to.match(/^has an unreadable report: /);
      expect(index.node('n1')?.pool('slow')?.room?.free).to.equal(60);
    });
  }

  it('drops the report with its annotation, and with its node', () => {
    index.putNode(node({ 'capacity.berth.dev/fast': report, 'capacity.berth.dev/slow': report }));
    index.putNode(node({ 'capacity.berth.dev/fast': report }));

    expect(index.node('n1')?.pool('slow')).to.equal(undefined);
    expect(ledger.room({ node: 'n1', pool: 'slow' })).to.equal(undefined);

    index.removeNode('n1');

    expect(index.node('n1')).to.equal(undefined);
    expect(ledger.room({ node: 'n1', pool: 'fast' })).to.equal(undefined);
    expect([...index.names()]).to.deep.equal([]);
  });

  it('says so where the StoragePool cannot be read', () => {
    index.putNode(node({ 'capacity.berth.dev/fast': report }));
    rule = undefined;

    const pool = index.node('n1')?.pool('fast');
    expect(pool?.healthy).to.equal(false);
    expect(pool?.problem).to.equal('has no StoragePool of that name that can be read');
  });

  describe('signs of life', () => {
    const alive = (): boolean => index.isAlive('n1');

    it('are needed', () => {
      index.putNode(node({ 'capacity.berth.dev/fast': report }));

      expect(index.node('n1')?.alive).to.equal(false);

      index.putHeartbeat(heartbeat(now));

      expect(index.node('n1')?.alive).to.equal(true);
    });

    it('hold for their time, and not longer', () => {
      index.putHeartbeat(heartbeat(now));

      now += silentAfterMs;
      expect(alive()).to.equal(true);

      now += 1;
      expect(alive()).to.equal(false);
    });

    it('tells when it comes back, and not of every sign of life', () => {
      const returned: string[] = [];
      index.onReturn((name) => returned.push(name));
      index.putHeartbeat(heartbeat(now));
      now += silentAfterMs;
      index.putHeartbeat(heartbeat(now));
      now += silentAfterMs + 1;
      index.putHeartbeat(heartbeat(now));

      expect(returned).to.deep.equal(['n1', 'n1']);
    });

    it('count by their own time when they are read first: the agent may be long dead', () => {
      index.putHeartbeat(heartbeat(now - silentAfterMs - 1));

      expect(alive()).to.equal(false);
    });

    it('count from when they are seen afterwards, whatever the node’s clock says', () => {
      index.putHeartbeat(heartbeat(now - 3_600_000));
      now += 40_000;
      index.putHeartbeat(heartbeat(now - 3_600_000));

      expect(alive()).to.equal(true);

      now += silentAfterMs + 1;
      expect(alive()).to.equal(false);
    });

    it('of a clock that runs ahead do not outlive their time', () => {
      index.putHeartbeat(heartbeat(now + 3_600_000));

      expect(alive()).to.equal(true);

      now += silentAfterMs + 1;
      expect(alive()).to.equal(false);
    });

    it('do not count again when the same Lease is read again', () => {
      const said = heartbeat(now);
      index.putHeartbeat(said);
      now += silentAfterMs + 1;
      index.putHeartbeat(said);

      expect(alive()).to.equal(false);
    });

    it('are nothing without a time, and end with their Lease', () => {
      index.putHeartbeat({ spec: { holderIdentity: 'n1' } });
      expect(alive()).to.equal(false);

      index.putHeartbeat(heartbeat(now));
      index.removeHeartbeat(heartbeat(now));
      expect(alive()).to.equal(false);
    });
  });
});
