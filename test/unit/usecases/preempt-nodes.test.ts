import { expect } from 'chai';
import { bytes } from '../../../src/model/bytes.ts';
import type { Claim } from '../../../src/model/claim.ts';
import { preemptNodes } from '../../../src/usecases/preempt-nodes.ts';
import { aClaim, aClass, aPersistentVolume, aPod, aVolume } from '../../support/facts.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';

const victim = { name: 'victim', uid: 'uid-victim' };
const ready = { status: { phase: 'Ready' as const, generation: 1 }, published: true };

describe('preemptNodes', () => {
  let cluster: FakeCluster;
  beforeEach(() => {
    cluster = new FakeCluster('n1', 5);
    cluster.classes.set('fast', aClass('fast'));
    cluster.put(aClaim('data', 10));
    cluster.podObjects.set('victim', aPod('victim', []));
  });

  /** A volume on the full node that belongs to the claim of a pod there. */
  function given(change: Partial<Claim> = {}, size = 20, node = 'n1'): Claim {
    const claim = aClaim('victim-tmp', size, { ownerPod: victim, ...change });
    cluster.put(claim, aVolume(claim, node, ready));
    // The report has counted it: what is free is free beside it.
    return claim;
  }

  async function kept(
    victims: Record<string, readonly string[]> = { n1: [victim.uid] },
    change: Parameters<typeof aPod>[2] = {},
  ): Promise<string[]> {
    const pod = aPod('db', ['data'], change);
    return [...(await preemptNodes(cluster)(pod, new Map(Object.entries(victims))))];
  }

  it('keeps a node that has room as it is, where somebody would be evicted', async () => {
    cluster.addNode('n2', 100);
    cluster.addNode('n3', 100);

    expect(await kept({ n1: ['a'], n2: ['a'], n3: [], n4: ['a'] })).to.deep.equal(['n2']);
  });

  it('keeps none for a pod that cannot be placed', async () => {
    cluster.claimObjects.clear();

    expect(await kept()).to.deep.equal([]);
  });

  it('counts the space of a generic ephemeral volume that dies with a victim', async () => {
    given();

    expect(await kept()).to.deep.equal(['n1']);
  });

  for (const [what, arrange] of [
    ['a claim in its own right', () => given({ ownerPod: undefined })],
    ['the claim of a pod that stays', () => given({ ownerPod: { name: 'b', uid: 'uid-b' } })],
    ['a volume that is too small', () => given({}, 4)],
    ['a volume on another node', () => given({}, 20, 'n9')],
    [
      'a class that retains',
      () => {
        given();
        cluster.classes.set('fast', aClass('fast', { reclaimPolicy: 'Retain' }));
      },
    ],
    [
      'a volume that is retained by now',
      () => {
        const pv = aPersistentVolume(given(), 'n1', { reclaimPolicy: 'Retain' });
        cluster.persistentVolumeObjects.set(pv.name, pv);
      },
    ],
    [
      'a pool that has given out more than its total',
      () => {
        given();
        const rest = aClaim('rest', 2_000);
        cluster.put(rest, aVolume(rest, 'n1', ready));
      },
    ],
  ] as const) {
    it(`drops a node where nothing that would help is freed: ${what}`, async () => {
      cluster.podObjects.set('b', aPod('b', []));
      arrange();

      expect(await kept()).to.deep.equal([]);
    });
  }

  it('takes the freed pieces one by one where the pool is in pieces', async () => {
    const report = { total: bytes(1000), free: bytes(50), generation: 2, healthy: true };
    cluster.ledger.setReport({ node: 'n1', pool: 'fast' }, { ...report, largest: bytes(5) });
    given({}, 8);
    const small = await kept();
    given({}, 20);

    expect([small, await kept()]).to.deep.equal([[], ['n1']]);
  });

  describe('for a pod that others were evicted for on a node', () => {
    const nominated = { nominatedNode: 'n1' };
    const others = { n2: ['a'] };
    beforeEach(() => {
      cluster.addNode('n2', 100);
      given();
    });

    for (const [what, arrange] of [
      ['whose claim is still there', () => cluster.podObjects.delete('victim')],
      [
        'that is still ending',
        () => cluster.podObjects.set('victim', aPod('victim', [], { deleting: true })),
      ],
      ['whose claim is gone', () => cluster.claimObjects.delete('shop/victim-tmp')],
      [
        'whose name another pod has now',
        () => cluster.podObjects.set('victim', aPod('victim', [], { uid: 'another' })),
      ],
    ] as const) {
      it(`evicts nobody else while the space of a victim is on its way ${what}`, async () => {
        arrange();

        expect(await kept(others, nominated)).to.deep.equal([]);
      });
    }

    it('counts a volume as on its way that was never used and is given back', async () => {
      cluster.claimObjects.delete('shop/victim-tmp');
      cluster.removeVolume('pvc-uid-victim-tmp');
      const claim = aClaim('unused', 20);
      cluster.put(
        claim,
        aVolume(claim, 'n1', { deleting: true, status: { phase: 'Ready', generation: 1 } }),
      );

      expect(await kept(others, nominated)).to.deep.equal([]);
    });

    it('evicts on where no space is on its way, or has come and was not what lacked', async () => {
      const nothing = await kept(others, nominated);
      cluster.addNode('n1', 100);
      const enough = await kept(others, nominated);

      expect([nothing, enough]).to.deep.equal([['n2'], ['n2']]);
    });
  });
});
