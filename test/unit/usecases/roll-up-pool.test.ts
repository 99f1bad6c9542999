import { expect } from 'chai';
import { rollUpPool, type PoolOnNode } from '../../../src/usecases/roll-up-pool.ts';

describe('rollUpPool', () => {
  const healthy = {
    ...{ alive: true, healthy: true, message: undefined },
    ...{ total: 10, free: 4, largest: 3, volumes: 2 },
  };
  const ill = { ...healthy, healthy: false, message: 'disk gone', free: 0, largest: 0 };
  const disk = { id: 'wwn-1', path: '/dev/sdb' };
  const condition = (nodes: readonly PoolOnNode[], type: string) =>
    rollUpPool(nodes).conditions.find((one) => one.type === type);

  it('adds up what healthy nodes say', () => {
    const summary = rollUpPool([
      { node: 'a', ...healthy },
      { node: 'b', ...healthy, largest: 4 },
    ]);

    expect(summary).to.deep.include({ nodes: 2, total: 20, free: 8, largest: 4, volumes: 4 });
    expect(summary.conditions.map(({ type, holds }) => [type, holds])).to.deep.equal([
      ['Ready', true],
      ['Warnings', false],
    ]);
    expect(summary.nodeStates[0]).to.deep.equal({
      ...{ node: 'a', healthy: true, total: 10, free: 4, largest: 3, volumes: 2 },
    });
  });

  it('names the first ill nodes and counts the others', () => {
    const nodes = ['a', 'b', 'c', 'd', 'e'].map((node) => ({ node, ...ill }));

    const told = condition([...nodes, { node: 'f', ...healthy }], 'Ready');

    expect(told).to.include({ holds: false, reason: 'NodesUnhealthy' });
    expect(told?.message).to.equal(
      '5 of 6 nodes unhealthy: a: disk gone; b: disk gone; c: disk gone; and 2 more',
    );
  });

  it('does not count what a node has free whose agent is silent', () => {
    const summary = rollUpPool([
      { node: 'a', ...healthy },
      { node: 'b', ...healthy, largest: 4, alive: false },
    ]);

    expect(summary).to.include({ free: 4, largest: 3 });
    expect(summary.conditions[0]).to.deep.include({ holds: false });
    expect(summary.conditions[0]?.message).to.equal(
      '1 of 2 nodes unhealthy: b: its agent is silent',
    );
  });

  it('is not ready without nodes', () => {
    expect(condition([], 'Ready')).to.include({ holds: false, reason: 'NoNodes' });
  });

  it('says which disk of which node is refused, and why', () => {
    const refused = { ...disk, state: 'refused', message: 'it holds ext4' } as const;
    const used = { ...disk, id: 'wwn-2', state: 'used' } as const;
    const nodes = [
      { node: 'a', ...healthy, disks: [used] },
      { node: 'b', ...healthy, disks: [used, refused] },
    ];

    const told = condition(nodes, 'DisksRefused');

    expect(told).to.include({ holds: true });
    expect(told?.message).to.equal('b: /dev/sdb (wwn-1): it holds ext4');
    expect(rollUpPool(nodes).nodeStates[0]).to.deep.include({
      ...{ node: 'b', disksUsed: 1, disksRefused: 1, disksMissing: 0 },
    });
    expect(condition(nodes.slice(0, 1), 'DisksRefused')).to.include({ holds: false });
  });

  it('warns of disks that are missing, and of what nodes say', () => {
    const missing = { id: 'wwn-1', state: 'missing', message: 'it is not there' } as const;
    const nodes = [
      { node: 'a', ...healthy, warnings: ['it is nearly worn out'] },
      { node: 'b', ...healthy, disks: [missing] },
    ];

    const told = condition(nodes, 'Warnings');

    expect(told).to.include({ holds: true, reason: 'DisksMissing' });
    expect(told?.message).to.contain('b: disk (wwn-1)').and.contain('a: it is nearly worn out');
  });

  it('stays small on any cluster, and shows those first that need somebody', () => {
    const text = 'x'.repeat(10_000);
    const nodes = Array.from({ length: 5_000 }, (_, i) => ({ node: `n${i}`, ...healthy }));
    const late: PoolOnNode[] = [
      { node: 'y', ...healthy, warnings: Array.from({ length: 50 }, () => text) },
      { node: 'z', ...ill, message: text },
    ];

    const summary = rollUpPool([...nodes, ...late]);

    expect(summary.nodeStates.slice(0, 3).map(({ node }) => node)).to.deep.equal(['z', 'y', 'n0']);
    expect(JSON.stringify(summary).length).to.be.below(16 * 1024);
  });
});
