import { expect } from 'chai';
import { bytes, MiB } from '../../../src/model/bytes.ts';
import type { Claim, VolumeClass } from '../../../src/model/claim.ts';
import type { Pod, PodClaim } from '../../../src/model/pod.ts';
import { ok } from '../../../src/model/result.ts';
import { resolveNeeds, type ResolvedPod } from '../../../src/usecases/resolve-needs.ts';
import { aClaim, aClass, aPersistentVolume, aPod, aVolume } from '../../support/facts.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';

const foreignClass = aClass('cloud', {
  provisioner: 'ebs.csi.aws.com',
  parameters: { ok: false, error: 'not ours' },
});

const template = (className?: string): NonNullable<PodClaim['template']> => ({
  className,
  requested: { ok: true, value: bytes(5) },
  volumeMode: 'Filesystem',
});

describe('resolveNeeds', () => {
  let cluster: FakeCluster;
  beforeEach(() => {
    cluster = new FakeCluster();
    cluster.classes.set('fast', aClass('fast'));
    cluster.classes.set('cloud', foreignClass);
  });

  const resolve = (pod: Pod) => resolveNeeds(pod, cluster.lookup);

  async function resolved(pod: Pod = aPod('db', ['data'])): Promise<ResolvedPod> {
    const result = await resolve(pod);
    if (!result.ok) {
      throw new Error(result.error.message);
    }
    return result.value;
  }

  async function refusal(pod: Pod = aPod('db', ['data'])): Promise<string> {
    const result = await resolve(pod);
    return result.ok ? 'no refusal' : `${result.error.kind}: ${result.error.message}`;
  }

  describe('of a class with a filesystem', () => {
    const usual = aClass('fast').parameters;
    const mkfsOptions = ['-K'];
    beforeEach(() => {
      const parameters = usual.ok
        ? ok({ ...usual.value, fsType: 'xfs' as const, mkfsOptions })
        : usual;
      cluster.classes.set('fast', aClass('fast', { parameters }));
      cluster.volumeForms.set('fast', 'device');
    });

    it('refuses a claim that is too small for it, naming claim, size and what is allowed', async () => {
      cluster.put(aClaim('data', 299 * MiB));

      const text = await refusal();
      expect(text).to.match(/^claim-unusable: claim shop\/data is too small/);
      expect(text).to.include('299Mi').and.include('xfs needs 300Mi');
      const pod = aPod('db', [], { claims: [{ name: 'db-tmp', template: template('fast') }] });
      expect(await refusal(pod)).to.include('claim shop/db-tmp is too small');
    });

    it('hands the options on, but not to raw devices', async () => {
      cluster.put(aClaim('data', 300 * MiB));
      expect((await resolved()).needs.volumes[0]).to.deep.include({ mkfsOptions });
      cluster.put(aClaim('data', 1, { volumeMode: 'Block' }));
      expect((await resolved()).needs.volumes[0]).to.not.have.property('mkfsOptions');
    });

    it('asks for no size where a directory is given, or where the volume is there already', async () => {
      const claim = aClaim('data', MiB);
      cluster.put(claim);
      cluster.volumeForms.set('fast', 'directory');
      expect((await resolved()).needs.volumes).to.have.lengthOf(1);
      cluster.volumeForms.set('fast', 'device');
      const volume = aVolume(claim, 'n1');
      cluster.localVolumes.set(volume.name, volume);
      expect((await resolved()).needs.pins).to.have.lengthOf(1);
    });
  });

  it('needs a volume for an unbound claim of ours', async () => {
    cluster.put(aClaim('data', 10));

    const { needs, unbound, awaited } = await resolved();

    expect(needs).to.deep.equal({
      pins: [],
      volumes: [
        {
          claimUid: 'uid-data',
          claim: 'shop/data',
          pool: 'fast',
          placement: 'spread',
          bytes: 10,
          volumeMode: 'Filesystem',
        },
      ],
    });
    expect(unbound.map(({ claim }) => claim.ref.name)).to.deep.equal(['data']);
    expect(awaited).to.deep.equal([]);
  });

  it('needs nothing for a pod without claims', async () => {
    const { needs, unbound } = await resolved(aPod('db', []));

    expect([needs.pins, needs.volumes, unbound]).to.deep.equal([[], [], []]);
  });

  it('makes a claim once that the pod names twice', async () => {
    cluster.put(aClaim('data', 10));

    const { needs, unbound } = await resolved(aPod('db', ['data', 'data']));

    expect(needs.volumes).to.have.lengthOf(1);
    expect(unbound).to.have.lengthOf(1);
  });

  it('goes where the PersistentVolume of a bound claim is, ours or not', async () => {
    const claim = aClaim('data', 10, { volumeName: 'pv-1', className: 'cloud' });
    const volume = aPersistentVolume(claim, 'n7', { ours: false });
    cluster.put(claim);
    cluster.persistentVolumeObjects.set('pv-1', volume);

    const { needs, unbound } = await resolved();

    expect(needs).to.deep.equal({
      volumes: [],
      pins: [{ kind: 'affinity', claim: 'shop/data', terms: volume.terms }],
    });
    expect(unbound).to.deep.equal([]);
  });

  it('does not mind a bound volume that every node can reach', async () => {
    const claim = aClaim('data', 10, { volumeName: 'pv-1' });
    cluster.put(claim);
    cluster.persistentVolumeObjects.set('pv-1', aPersistentVolume(claim, 'n7', { terms: [] }));

    expect((await resolved()).needs).to.deep.equal({ volumes: [], pins: [] });
  });

  it('goes where the LocalVolume of an unbound claim is, and still has it made', async () => {
    const claim = aClaim('data', 10);
    cluster.put(claim, aVolume(claim, 'n3'));

    const { needs, unbound } = await resolved();

    expect(needs.pins).to.deep.equal([{ kind: 'node', claim: 'shop/data', node: 'n3' }]);
    expect(needs.volumes).to.deep.equal([]);
    expect(unbound).to.have.lengthOf(1);
  });

  it('is not tied by a LocalVolume that is just given back', async () => {
    const claim = aClaim('data', 10);
    cluster.put(claim, aVolume(claim, 'n3', { deleting: true }));

    const { needs } = await resolved();

    expect(needs.pins).to.deep.equal([]);
    expect(needs.volumes).to.have.lengthOf(1);
  });

  it('leaves an unbound foreign claim to the profile of another scheduler', async () => {
    cluster.put(aClaim('data', 10, { className: 'cloud' }));
    const pod = aPod('db', ['data'], { schedulerName: 'default-scheduler' });

    expect((await resolved(pod)).needs).to.deep.equal({ volumes: [], pins: [] });
  });

  const refused: readonly (readonly [string, Partial<Claim>, Partial<VolumeClass>, string])[] = [
    ['is deleted', { deleting: true }, {}, 'claim shop/data is being deleted'],
    ['is lost', { lost: true }, {}, 'claim shop/data has lost its volume'],
    ['has a selector', { hasSelector: true }, {}, 'has a selector, which class fast does not'],
    [
      'is for many nodes',
      { accessModes: ['ReadWriteOnce', 'ReadWriteMany'] },
      {},
      'accessMode ReadWriteMany: a local volume allows ReadWriteOnce or ReadWriteOncePod',
    ],
    [
      'has no readable size',
      { requested: { ok: false, error: 'resources.requests.storage is missing' } },
      {},
      'claim shop/data: resources.requests.storage is missing',
    ],
    ['is bound to nothing', { volumeName: 'pv-9' }, {}, 'bound to pv-9, which does not exist'],
  ];
  for (const [what, change, classChange, text] of refused) {
    it(`refuses a claim that ${what}`, async () => {
      cluster.classes.set('fast', aClass('fast', classChange));
      cluster.put(aClaim('data', 10, change));

      expect(await refusal())
        .to.match(/^claim-unusable: /)
        .and.contain(text);
    });
  }

  it('allows the mode for a single pod', async () => {
    cluster.put(aClaim('data', 10, { accessModes: ['ReadWriteOncePod'] }));

    expect(await refusal()).to.equal('no refusal');
  });

  it('refuses a claim whose published volume is being deleted', async () => {
    const claim = aClaim('data', 10);
    cluster.put(claim, aVolume(claim, 'n3', { deleting: true, published: true }));

    expect(await refusal()).to.equal(
      'claim-unusable: the volume of claim shop/data is being deleted',
    );
  });

  it('refuses a class that binds at once, for claims and for templates', async () => {
    cluster.classes.set('fast', aClass('fast', { waitsForPod: false }));
    const text = 'class fast has volumeBindingMode Immediate: WaitForFirstConsumer is required';
    const ephemeral = aPod('db', [], { claims: [{ name: 'db-x', template: template('fast') }] });

    cluster.put(aClaim('data', 10));

    expect(await refusal()).to.equal(`class-unusable: ${text}`);
    expect(await refusal(ephemeral)).to.equal(`class-unusable: ${text}`);
  });

  it('refuses a class with mistakes, and tells them', async () => {
    cluster.classes.set('fast', aClass('fast', { parameters: { ok: false, error: 'pool is ""' } }));
    cluster.put(aClaim('data', 10));

    expect(await refusal()).to.equal('class-unusable: class fast: pool is ""');
  });

  it('says which claim does not exist', async () => {
    expect(await refusal()).to.equal('claim-missing: claim shop/data does not exist');
  });

  for (const className of ['cloud', 'gone', '', undefined]) {
    it(`tells a pod of our profile that nobody provisions class "${className ?? 'none'}"`, async () => {
      cluster.put(aClaim('data', 10, { className }));

      expect(await refusal()).to.match(/^foreign-claim: claim shop\/data is not bound and /);
    });
  }

  it('lets one bad claim refuse the whole pod', async () => {
    cluster.put(aClaim('data', 10), aClaim('logs', 10, { deleting: true }));

    expect(await refusal(aPod('db', ['data', 'logs']))).to.contain('shop/logs is being deleted');
  });

  describe('for generic ephemeral volumes', () => {
    const pod = aPod('db', [], { claims: [{ name: 'db-tmp', template: template('fast') }] });

    it('needs the volume of a claim that does not exist yet, and awaits the claim', async () => {
      const { needs, unbound, awaited } = await resolved(pod);

      expect(needs.volumes).to.have.lengthOf(1);
      expect(needs.volumes[0]).to.include({ claim: 'shop/db-tmp', claimUid: '', bytes: 5 });
      expect(awaited).to.deep.equal(['shop/db-tmp']);
      expect(unbound).to.deep.equal([]);
    });

    it('takes the claim once it is there and was made for this pod', async () => {
      cluster.put(aClaim('db-tmp', 5, { ownerPod: { name: 'db', uid: 'uid-db' } }));

      const { unbound, awaited } = await resolved(pod);

      expect(unbound).to.have.lengthOf(1);
      expect(awaited).to.deep.equal([]);
    });

    it('never takes a claim of that name that is another pod’s, or nobody’s', async () => {
      for (const ownerPod of [{ name: 'db', uid: 'another' }, undefined]) {
        cluster.put(aClaim('db-tmp', 5, { ownerPod }));

        expect(await refusal(pod)).to.contain('was not made for this pod');
      }
    });

    it('refuses a template without a readable size', async () => {
      const requested = { ok: false as const, error: 'resources.requests.storage is missing' };
      const claims = [{ name: 'db-tmp', template: { ...template('fast'), requested } }];

      expect(await refusal(aPod('db', [], { claims }))).to.contain('storage is missing');
    });

    it('refuses a foreign template in our profile only', async () => {
      const claims = [{ name: 'db-tmp', template: template('cloud') }];
      const other = aPod('db', [], { claims, schedulerName: 'default-scheduler' });

      expect(await refusal(aPod('db', [], { claims }))).to.match(/^foreign-claim: /);
      expect(await refusal(other)).to.equal('no refusal');
    });

    it('takes the default class where the template names none', async () => {
      cluster.classes.set('default', aClass('slow'));
      const claims = [{ name: 'db-tmp', template: template() }];

      const { needs } = await resolved(aPod('db', [], { claims }));

      expect(needs.volumes[0]?.pool).to.equal('slow');
    });
  });
});
