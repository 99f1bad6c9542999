import { expect } from 'chai';
import { bytes } from '../../../src/model/bytes.ts';
import { ok } from '../../../src/model/result.ts';
import type { Pod } from '../../../src/model/pod.ts';
import { noticeUnscheduled } from '../../../src/usecases/notice-unscheduled.ts';
import { aClaim, aClass, aPod } from '../../support/facts.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';

describe('noticeUnscheduled', () => {
  let cluster: FakeCluster;
  let now: number;
  let look: () => Promise<number | undefined>;
  beforeEach(() => {
    cluster = new FakeCluster();
    cluster.classes.set('fast', aClass('fast'));
    cluster.classes.set('cloud', aClass('cloud', { provisioner: 'ebs.csi.aws.com' }));
    cluster.put(aClaim('data', 10), aClaim('far', 10, { className: 'cloud' }));
    now = 5_000;
    const { pods, lookup, eventSink: events } = cluster;
    const reconcile = noticeUnscheduled({ pods, lookup, events, now: () => now });
    look = () => reconcile('shop/db');
  });

  function given(claims: readonly string[], change: Partial<Pod> = {}): void {
    cluster.podObjects.set('db', aPod('db', claims, change));
  }

  async function lookTwice(): Promise<number | undefined> {
    await look();
    now += 30_000;
    return look();
  }

  it('speaks up for a pod that nobody has looked at for half a minute, and again later', async () => {
    given(['far', 'data']);

    expect(await look()).to.equal(30_000);
    now += 10_000;
    expect(await look()).to.equal(20_000);
    expect(cluster.events).to.deep.equal([]);
    now += 20_000;
    expect(await look()).to.equal(300_000);

    expect(cluster.events).to.have.lengthOf(1);
    expect(cluster.events[0]).to.match(
      /^Pod db BerthNotScheduled: .* schedulerName berth-scheduler/,
    );
  });

  it('knows the class of a claim that does not exist yet', async () => {
    const asked = { requested: ok(bytes(1)), volumeMode: 'Filesystem' } as const;
    given([], { claims: [{ name: 'db-tmp', template: { className: 'fast', ...asked } }] });

    expect(await lookTwice()).to.equal(300_000);
  });

  for (const [what, claims, change] of [
    ['that a scheduler has looked at', ['data'], { seenByScheduler: true }],
    ['with a node', ['data'], { nodeName: 'n1' }],
    ['that goes', ['data'], { deleting: true }],
    ['without claims', [], {}],
    ['with foreign claims only', ['far'], {}],
    ['with a claim that is not there', ['none'], {}],
  ] as const) {
    it(`says nothing of a pod ${what}`, async () => {
      given(claims, change);

      expect(await lookTwice()).to.equal(undefined);
      expect(cluster.events).to.deep.equal([]);
    });
  }

  it('begins to count anew for another pod of the name', async () => {
    given(['data']);
    await look();
    cluster.podObjects.clear();
    await look();
    given(['data']);
    now += 30_000;

    expect(await look()).to.equal(30_000);
  });
});
