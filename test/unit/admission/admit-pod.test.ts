import { expect } from 'chai';
import type { VolumeForm } from '../../../src/model/volume.ts';
import type { ClaimView, ClassView, VolumeView } from '../../../src/usecases/admit-ports.ts';
import { admitClaim, type NewClaim } from '../../../src/usecases/admit-claim.ts';
import { admitPod, type PodClaim } from '../../../src/usecases/admit-pod.ts';
import { podWith, routing, schedulingOf } from './pods.ts';

interface Cluster {
  readonly claims?: Readonly<Record<string, ClaimView>>;
  readonly volumes?: Readonly<Record<string, VolumeView>>;
  readonly defaultClass?: ClassView;
}

const fast: ClassView = {
  name: 'fast',
  provisioner: 'local.berth.dev',
  parameters: { pool: 'fast' },
};
const classes: Readonly<Record<string, ClassView>> = {
  fast,
  bad: { ...fast, name: 'bad', parameters: {} },
  ebs: { name: 'ebs', provisioner: 'ebs.csi.aws.com', parameters: {} },
};
const silent = { info: () => {}, warn: () => {}, error: () => {} };

function viewOf({ claims = {}, volumes = {}, defaultClass }: Cluster) {
  return {
    claim: async (namespace: string, name: string) => claims[`${namespace}/${name}`],
    volume: async (name: string) => volumes[name],
    storageClass: async (name: string) => classes[name],
    volumeForm: async () => undefined,
    defaultClass: () => defaultClass,
  };
}

function admitted(claims: readonly PodClaim[], cluster: Cluster = {}, namespace = 'shop') {
  const request = { namespace, pod: 'web-0', claims, scheduling: schedulingOf(podWith({})) };
  const excluded = ['kube-system'];
  return admitPod(request, { view: viewOf(cluster), routing, excluded, log: silent });
}

const named = (claim: string): PodClaim => ({ kind: 'named', claim });
const unboundClaim = (className: string | undefined): ClaimView => ({
  uid: 'u1',
  className,
  volume: '',
});

describe('admitPod', () => {
  it('finds our claims by their class, in the namespace of the request', async () => {
    const claims = { 'shop/data': unboundClaim('fast'), 'other/data': unboundClaim('ebs') };

    expect((await admitted([named('data')], { claims })).pools).to.deep.equal(['fast']);
  });

  it('takes the default class for a claim that names none', async () => {
    const claims = { 'shop/data': unboundClaim(undefined) };

    const without = await admitted([named('data')], { claims });
    const ours = await admitted([named('data')], { claims, defaultClass: fast });

    expect(without.concerned).to.equal(false);
    expect(ours.pools).to.deep.equal(['fast']);
  });

  it('reads the class of an ephemeral volume from its template', async () => {
    const ephemeral = (className: string | undefined): PodClaim => ({
      kind: 'ephemeral',
      claim: 'scratch',
      className,
    });

    expect((await admitted([ephemeral('fast')])).pools).to.deep.equal(['fast']);
    expect((await admitted([ephemeral('ebs')])).concerned).to.equal(false);
    expect((await admitted([ephemeral(undefined)], { defaultClass: fast })).concerned).to.equal(
      true,
    );
    expect((await admitted([ephemeral('')], { defaultClass: fast })).concerned).to.equal(false);
  });

  it('knows a bound volume of ours by who made it, when its class is gone', async () => {
    const terms = [{ matchExpressions: [{ key: 'k', operator: 'Exists' }] }];
    const claims = { 'shop/data': { uid: 'u1', className: 'gone', volume: 'pvc-1' } };
    const volumes = { 'pvc-1': { provisionedBy: 'local.berth.dev', claimUid: 'u1', terms } };

    const { patch, scheduler } = await admitted([named('data')], { claims, volumes });

    expect(scheduler).to.equal('berth-scheduler');
    expect(JSON.stringify(patch)).to.contain(JSON.stringify(terms));
  });

  it('does not pin a pod to a volume that belongs to another claim, or is gone', async () => {
    const claims = { 'shop/data': { uid: 'u2', className: 'fast', volume: 'pvc-1' } };
    const terms = [{ matchExpressions: [{ key: 'k', operator: 'Exists' }] }];
    const volumes = { 'pvc-1': { provisionedBy: 'local.berth.dev', claimUid: 'u1', terms } };

    const stolen = await admitted([named('data')], { claims, volumes });
    const gone = await admitted([named('data')], { claims });

    expect(JSON.stringify(stolen.patch)).to.not.contain('affinity');
    expect(stolen.warnings.join()).to.contain('belongs to another claim');
    expect(gone.warnings.join()).to.contain('pvc-1, which does not exist');
  });

  it('warns of claims and classes that do not exist, and of mistaken classes', async () => {
    const claims = { 'shop/a': unboundClaim('nowhere'), 'shop/b': unboundClaim('bad') };

    const { warnings } = await admitted([named('a'), named('b'), named('c')], { claims });

    expect(warnings).to.have.length(3);
    expect(warnings.join('\n')).to.match(/StorageClass nowhere does not exist/);
    expect(warnings.join('\n')).to.match(/StorageClass bad: pool is ""/);
    expect(warnings.join('\n')).to.match(/claim c is not looked after yet: it does not exist/);
  });

  it('leaves excluded namespaces alone', async () => {
    const claims = { 'kube-system/data': unboundClaim('fast') };

    const { patch, warnings } = await admitted([named('data')], { claims }, 'kube-system');

    expect(patch).to.deep.equal([]);
    expect(warnings).to.deep.equal([]);
  });
});

describe('admitClaim', () => {
  const claim: Omit<NewClaim, 'className'> = {
    ...{ name: 'data', request: '1Gi', hasSelector: false, hasDataSource: false },
    ...{ volumeMode: 'Filesystem', hasVolume: false },
    accessModes: ['ReadWriteOnce'],
  };

  it('judges claims of our classes only', async () => {
    const verdicts = await Promise.all(
      ['fast', 'ebs', 'nowhere', '', undefined].map((className) =>
        admitClaim({ ...claim, hasSelector: true, className }, viewOf({})),
      ),
    );

    expect(verdicts.map(({ ok }) => ok)).to.deep.equal([false, true, true, true, true]);
  });

  describe('of a class with a filesystem', () => {
    const parameters = { pool: 'fast', fsType: 'xfs', mkfsOptions: '-K' };
    const storageClass = async () => ({ name: 'xfs', provisioner: 'local.berth.dev', parameters });
    const admit = (change: Partial<NewClaim>, form: VolumeForm | 'not known' = 'device') =>
      admitClaim(
        { ...claim, className: 'xfs', ...change },
        {
          ...viewOf({}),
          storageClass,
          volumeForm: async () => (form === 'not known' ? undefined : form),
        },
      );

    it('refuses less than that needs, and says how much', async () => {
      const refused = await admit({ request: '299Mi' });

      expect(refused.ok).to.equal(false);
      expect(!refused.ok && refused.error).to.include('data: resources.requests.storage: 299Mi');
      expect(!refused.ok && refused.error).to.include('xfs needs 300Mi');
      expect(await admit({ request: '300Mi' })).to.deep.equal({ ok: true, value: [] });
    });

    it('lets pass what gets no new filesystem', async () => {
      for (const [change, form] of [
        [{ hasVolume: true }, 'device'],
        [{ volumeMode: 'Block' }, 'device'],
        [{}, 'directory'],
        [{}, 'not known'],
      ] as const) {
        expect((await admit({ request: '1Mi', ...change }, form)).ok).to.equal(true);
      }
    });

    it('warns that a raw device gets none', async () => {
      const passed = await admit({ volumeMode: 'Block' });

      expect(passed.ok && passed.value.join()).to.include('mkfsOptions of class xfs');
    });
  });
});
