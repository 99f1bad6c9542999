import { expect } from 'chai';
import { releaseVolume } from '../../../src/usecases/release-volume.ts';
import { aClaim, aClass, aPersistentVolume, aVolume } from '../../support/facts.ts';
import { FakeCluster, silentLog } from '../../support/fake-cluster.ts';

const claim = aClaim('data', 10);
const name = 'pvc-uid-data';
const ready = { status: { phase: 'Ready' as const }, published: true };
const dayMs = 86_400_000;

describe('releaseVolume', () => {
  let cluster: FakeCluster;
  let now: number;
  beforeEach(() => {
    cluster = new FakeCluster();
    now = 1_000;
  });

  let reconcile: ReturnType<typeof releaseVolume>;

  beforeEach(() => {
    const { volumes, persistentVolumes, claims, lookup, eventSink: events } = cluster;
    const ports = { volumes, persistentVolumes, claims, lookup, events, log: silentLog };
    reconcile = releaseVolume({ ...ports, now: () => now, abandonedAfterMs: 60_000 });
  });

  function release(): Promise<number | undefined> {
    return reconcile(name);
  }

  const putPv = (change: Parameters<typeof aPersistentVolume>[2] = {}) =>
    cluster.persistentVolumeObjects.set(name, aPersistentVolume(claim, 'n1', change));

  it('does nothing where nothing is left', async () => {
    await release();

    expect(cluster.writes).to.deep.equal([]);
  });

  it('gives a volume to its agent once the claim is gone', async () => {
    cluster.put(aVolume(claim, 'n1', ready));
    putPv({ phase: 'Released' });

    await release();

    expect(cluster.writes).to.deep.equal([`delete ${name}`, `release ${name}`]);
  });

  it('takes a namesake with another uid for a claim that is gone', async () => {
    cluster.put(aVolume(claim, 'n1', ready));
    cluster.put({ ...claim, ref: { ...claim.ref, uid: 'another' } });
    putPv({ phase: 'Released' });

    await release();

    expect(cluster.writes).to.deep.equal([`delete ${name}`, `release ${name}`]);
  });

  it('touches nothing while the claim lives', async () => {
    cluster.put(claim, aVolume(claim, 'n1', ready));
    putPv();
    now = dayMs;

    await release();

    expect(cluster.writes).to.deep.equal([]);
  });

  it('makes way for a new PersistentVolume where one was deleted before its claim had it', async () => {
    cluster.put(claim, aVolume(claim, 'n1', ready));
    putPv({ phase: 'Bound', deleting: true });
    await release();
    expect(cluster.writes).to.deep.equal([]);

    putPv({ phase: 'Available', deleting: true });
    await release();
    expect(cluster.writes).to.deep.equal([`letGoPv ${name}`]);
    expect(cluster.localVolumes.get(name)?.deleting).to.equal(false);
  });

  it('keeps a published volume of a living claim that has no PersistentVolume yet', async () => {
    cluster.put(claim, aVolume(claim, 'n1', ready));
    now = dayMs;

    expect(await release()).to.equal(undefined);
    expect(cluster.writes).to.deep.equal([]);
  });

  it('believes memory that the claim lives, and asks nobody', async () => {
    cluster.put(claim, aVolume(claim, 'n1', ready));
    cluster.breakAt('readClaim');

    expect(await release()).to.equal(undefined);
  });

  it('does not believe memory that the claim is gone', async () => {
    cluster.put(claim, aVolume(claim, 'n1', ready));
    putPv({ phase: 'Released' });
    cluster.forgetsClaims = true;

    await release();

    expect(cluster.writes).to.deep.equal([]);
  });

  describe('with an unused volume that was made together with another', () => {
    const other = aClaim('a', 10);
    const first = aVolume(other, 'n1', { published: true });
    const follower = aVolume(claim, 'n1', { follows: { name: first.name, uid: first.uid } });
    beforeEach(async () => {
      cluster.put(claim, follower);
    });

    async function abandoned(): Promise<number | undefined> {
      await release();
      now += 60_000;
      return release();
    }

    it('keeps it while that one is published: their pod needs both on this node', async () => {
      cluster.put(first);

      expect(await abandoned()).to.equal(60_000);
      expect(cluster.writes).to.deep.equal([]);
    });

    for (const [what, put] of [
      ['is gone', () => {}],
      ['is going', () => cluster.put({ ...first, deleting: true })],
      ['was made anew', () => cluster.put({ ...first, uid: 'another' })],
    ] as const) {
      it(`gives it back once that one ${what}`, async () => {
        put();

        expect(await abandoned()).to.equal(undefined);
        expect(cluster.writes).to.deep.equal([`delete ${name}`, `release ${name}`]);
      });
    }
  });

  it('destroys nothing when it cannot be seen whether the claim lives', async () => {
    cluster.put(aVolume(claim, 'n1', ready));
    cluster.breakAt('readClaim');

    const error = await release().catch((thrown: unknown) => thrown);

    expect(error).to.be.an('error');
    expect(cluster.writes).to.deep.equal([]);
  });

  it('waits for the word Released', async () => {
    cluster.put(aVolume(claim, 'n1', ready));
    putPv({ phase: 'Bound' });

    await release();

    expect(cluster.writes).to.deep.equal([]);
  });

  it('takes back what was published and has no PersistentVolume, once the claim is gone', async () => {
    cluster.put(aVolume(claim, 'n1', ready));

    await release();

    expect(cluster.writes).to.deep.equal([`delete ${name}`, `release ${name}`]);
  });

  describe('that adopts', () => {
    const spec = { adopts: { name: 'pvc-0', volumeUid: 'old' } };
    const adopting = (change = {}) => aVolume(claim, 'n1', { spec, ...change });
    const isReady = { status: { phase: 'Ready' as const } };

    beforeEach(() => cluster.classes.set('fast', aClass('fast')));

    it('is handed to its claim as soon as it is Ready, however long that takes', async () => {
      cluster.put(claim, adopting());
      now = dayMs;
      expect(await release()).to.equal(undefined);
      now = 2 * dayMs;
      await release();
      expect(cluster.writes).to.deep.equal([]);

      cluster.change(name, isReady);
      await release();
      expect(cluster.writes).to.deep.equal([`publish ${name}`, `ensurePv ${name}`]);
      await release();
      expect(cluster.writes).to.have.length(2);
    });

    it('is handed over by the next look when that was cut off in the middle', async () => {
      cluster.put(claim, adopting(isReady));
      cluster.breakAt('ensurePv');
      await release().catch(() => undefined);
      await release();

      expect(cluster.writes).to.deep.equal([`publish ${name}`, `ensurePv ${name}`]);
    });

    it('looks again when its agent has written in between', async () => {
      cluster.put(claim, adopting(isReady));
      cluster.before.set('publish', () => {
        cluster.before.delete('publish');
        cluster.change(name, isReady);
      });

      expect(await release()).to.equal(500);
      expect(cluster.persistentVolumeObjects.size).to.equal(0);
    });

    it('waits, and says so, while the class is missing', async () => {
      cluster.classes.clear();
      cluster.put(claim, adopting(isReady));

      expect(await release()).to.equal(60_000);
      expect(cluster.writes).to.deep.equal([]);
      expect(cluster.events[0]).to.include('BerthAdoptionWaits');
    });

    for (const [what, put] of [
      ['could not be made', () => cluster.put(claim, adopting({ status: { phase: 'Failed' } }))],
      [
        'came too late for its claim',
        () => cluster.put({ ...claim, volumeName: 'other' }, adopting(isReady)),
      ],
    ] as const) {
      it(`is given back, unpublished, when it ${what}`, async () => {
        put();
        await release();
        now += 60_000;
        await release();

        expect(cluster.writes).to.deep.equal([`delete ${name}`, `release ${name}`]);
        expect(cluster.localVolumes.get(name)?.published).to.equal(false);
      });
    }

    it('is given back, unpublished, when its claim is gone', async () => {
      cluster.put(adopting(isReady));
      await release();

      expect(cluster.writes).to.deep.equal([`delete ${name}`, `release ${name}`]);
      expect(cluster.localVolumes.get(name)?.published).to.equal(false);
    });
  });

  describe('with Retain', () => {
    it('keeps the volume beside its PersistentVolume', async () => {
      cluster.put(aVolume(claim, 'n1', ready));
      putPv({ phase: 'Released', reclaimPolicy: 'Retain' });

      await release();

      expect(cluster.writes).to.deep.equal([]);
    });

    it('keeps the volume after its PersistentVolume was removed', async () => {
      cluster.put(aVolume(claim, 'n1', ready));
      putPv({ phase: 'Released', reclaimPolicy: 'Retain', deleting: true });

      await release();
      await release();

      expect(cluster.writes).to.deep.equal([`retain ${name}`, `removePv ${name}`]);
    });

    it('keeps it also where memory does not know yet that it is retained', async () => {
      cluster.put(aVolume(claim, 'n1', { ...ready, retained: true }));
      cluster.stale.set(name, aVolume(claim, 'n1', ready));

      await release();

      expect(cluster.writes).to.deep.equal([]);
    });

    it('keeps its PersistentVolume until the volume is marked', async () => {
      cluster.put(aVolume(claim, 'n1', ready));
      cluster.stale.set(name, aVolume(claim, 'n1', { ...ready, resourceVersion: 'old' }));
      putPv({ phase: 'Released', reclaimPolicy: 'Retain', deleting: true });

      await release();

      expect(cluster.writes).to.deep.equal([`retain ${name}`]);
      expect(cluster.persistentVolumeObjects.size).to.equal(1);
    });

    it('honours a policy that was changed after the watch saw it last', async () => {
      cluster.put(aVolume(claim, 'n1', ready));
      putPv({ phase: 'Released' });
      Object.assign(cluster.persistentVolumes, {
        read: async () => aPersistentVolume(claim, 'n1', { reclaimPolicy: 'Retain' }),
      });

      await release();

      expect(cluster.writes).to.deep.equal([]);
    });

    it('ends when somebody deletes the volume by hand', async () => {
      cluster.put(aVolume(claim, 'n1', { ...ready, retained: true, deleting: true }));

      await release();

      expect(cluster.writes).to.deep.equal([`release ${name}`]);
    });
  });

  it('protects the data of a living claim from a deletion by hand, and says so', async () => {
    cluster.put(claim, aVolume(claim, 'n1', { ...ready, deleting: true }));

    await release();

    expect(cluster.writes).to.deep.equal([]);
    expect(cluster.events[0]).to.match(/^LocalVolume pvc-uid-data BerthVolumeInUse: .*shop\/data/);
  });

  it('lets a volume go by hand that nobody was ever given', async () => {
    cluster.put(claim, aVolume(claim, 'n1', { deleting: true }));

    await release();

    expect(cluster.writes).to.deep.equal([`release ${name}`]);
  });

  it('leaves a volume to its agent that was released before', async () => {
    cluster.put(aVolume(claim, 'n1', { ...ready, deleting: true, heldByControl: false }));

    await release();

    expect(cluster.writes).to.deep.equal([]);
  });

  it('ends a deletion that stopped half way', async () => {
    cluster.put(aVolume(claim, 'n1', { ...ready, deleting: true }));

    await release();

    expect(cluster.writes).to.deep.equal([`release ${name}`]);
  });

  it('gives a volume back that a broken bind has left, after its time', async () => {
    cluster.put(claim, aVolume(claim, 'n1'));

    const againMs = await release();
    expect(againMs).to.equal(61_000);
    expect(cluster.writes).to.deep.equal([]);

    now += 61_000;
    await release();
    expect(cluster.writes).to.deep.equal([`delete ${name}`, `release ${name}`]);
  });

  it('does not give it back when a bind has published it in between', async () => {
    cluster.put(claim, aVolume(claim, 'n1', { published: true, resourceVersion: '2' }));
    cluster.stale.set(name, aVolume(claim, 'n1'));
    await release();
    now += dayMs;

    await release();

    expect(cluster.writes).to.deep.equal([`delete ${name}`]);
    expect(cluster.localVolumes.get(name)?.deleting).to.equal(false);
  });

  it('leaves a namesake alone that came after the volume it knew', async () => {
    cluster.put(aVolume(claim, 'n1', { ...ready, uid: 'newer' }));
    cluster.stale.set(name, aVolume(claim, 'n1', ready));

    await release();

    expect(cluster.writes).to.deep.equal([]);
  });

  describe('of a PersistentVolume whose volume is gone', () => {
    it('removes the shell', async () => {
      putPv({ phase: 'Released' });

      await release();

      expect(cluster.writes).to.deep.equal([`removePv ${name}`]);
    });

    for (const [what, change] of [
      ['a bound one', { phase: 'Bound' }],
      ['one to retain', { phase: 'Released', reclaimPolicy: 'Retain' }],
      ['a foreign one', { phase: 'Released', ours: false }],
      ['one that it does not hold', { phase: 'Released', heldByControl: false }],
    ] as const) {
      it(`leaves ${what} alone`, async () => {
        putPv(change);

        await release();

        expect(cluster.writes).to.deep.equal([]);
      });
    }

    it('removes one to retain when somebody deletes it', async () => {
      putPv({ phase: 'Released', reclaimPolicy: 'Retain', deleting: true });

      await release();

      expect(cluster.writes).to.deep.equal([`removePv ${name}`]);
    });
  });
});
