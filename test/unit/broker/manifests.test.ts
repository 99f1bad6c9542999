import { expect } from 'chai';
import type { Wants } from '../../../src/broker/instance.ts';
import { claimOf, placeholderOf } from '../../../src/broker/manifests.ts';
import type { PersistentVolumeClaim, Pod } from '../../../src/kube/objects.ts';
import { bytes } from '../../../src/model/bytes.ts';
import { instanceWith, uid } from '../../support/broker/moments.ts';

const rules = { image: 'pause:1', priorityClass: 'low', scheduler: '' };
const record = (wants: Partial<Wants>) => ({
  ...{ instance: instanceWith({ wants }), name: 'osb-1', uid },
});
const podOf = (wants: Partial<Wants>): Pod =>
  placeholderOf(record(wants), 1, { rules, askedAt: '2030-01-01T00:00:00Z' });

const required = 'requiredDuringSchedulingIgnoredDuringExecution';

describe('the claim of an instance', () => {
  const made = claimOf(record({ bytes: bytes(2 ** 30), volumeMode: 'Block' }), 2);
  const { metadata, spec } = made as PersistentVolumeClaim;

  it('has a name that a StatefulSet would give it, and its record as owner until it is made', () => {
    expect(metadata?.name).to.equal('data-osb-0b5b6b3e9a444c5d-2');
    expect(metadata?.ownerReferences?.[0]).to.include({ kind: 'BrokerInstance', uid });
    expect(metadata?.labels).to.deep.equal({ 'berth.dev/instance': 'osb-1' });
    expect(metadata?.annotations).to.include({ 'berth.dev/instance-uid': uid });
  });

  it('asks for what the plan says', () => {
    expect(spec).to.deep.include({ storageClassName: 'fast', volumeMode: 'Block' });
    expect(spec?.resources?.requests).to.deep.equal({ storage: '1Gi' });
  });
});

describe('a placeholder', () => {
  it('asks for what the workload will need, as a guest without rights', () => {
    const { spec } = podOf({ cpu: '2', memory: '1Gi', spread: 'none' });
    const [container] = spec?.containers ?? [];
    expect(container?.resources).to.deep.equal({ requests: { cpu: '2', memory: '1Gi' } });
    expect(container?.securityContext).to.deep.include({ allowPrivilegeEscalation: false });
    expect(spec).to.include({
      ...{ priorityClassName: 'low', terminationGracePeriodSeconds: 0 },
      automountServiceAccountToken: false,
    });
    expect(spec?.securityContext?.runAsNonRoot).to.equal(true);
    expect(spec).not.to.have.property('schedulerName');
    expect(spec).not.to.have.property('affinity');
    expect(spec?.volumes?.[0]?.persistentVolumeClaim?.claimName).to.match(/^data-osb-.*-1$/);
    expect(container).not.to.have.property('volumeMounts');
  });

  it('is owned by the record, so that none is left where the record goes', () => {
    const [owner] = podOf({}).metadata?.ownerReferences ?? [];
    expect(owner).to.include({ kind: 'BrokerInstance', name: 'osb-1', uid });
  });

  for (const [spread, key] of [
    ['nodes', 'kubernetes.io/hostname'],
    ['zones', 'topology.kubernetes.io/zone'],
  ] as const) {
    it(`keeps away from the others of its set: ${spread}`, () => {
      const { affinity } = podOf({ spread }).spec ?? {};
      const [apart] = affinity?.podAntiAffinity?.[required] ?? [];
      expect(apart).to.deep.equal({
        labelSelector: { matchLabels: { 'berth.dev/instance': 'osb-1' } },
        topologyKey: key,
      });
      const terms = affinity?.nodeAffinity?.[required]?.nodeSelectorTerms;
      expect(terms).to.deep.equal([{ matchExpressions: [{ key, operator: 'Exists' }] }]);
    });
  }

  it('follows the rules of the plan as well, each of its alternatives', () => {
    const other = { key: 'disk', operator: 'In', values: ['a'] };
    const apart = { topologyKey: 'rack', labelSelector: {} };
    const { spec } = podOf({
      spread: 'zones',
      placement: {
        nodeSelector: { a: 'b' },
        tolerations: [{ operator: 'Exists' }],
        affinity: {
          nodeAffinity: {
            [required]: { nodeSelectorTerms: [{ matchExpressions: [other] }, {}] },
          },
          podAntiAffinity: { [required]: [apart] },
          podAffinity: { [required]: [] },
        },
      },
    });
    const zone = { key: 'topology.kubernetes.io/zone', operator: 'Exists' };
    expect(spec).to.deep.include({
      nodeSelector: { a: 'b' },
      tolerations: [{ operator: 'Exists' }],
    });
    expect(spec?.affinity?.nodeAffinity?.[required]?.nodeSelectorTerms).to.deep.equal([
      { matchExpressions: [other, zone] },
      { matchExpressions: [zone] },
    ]);
    expect(spec?.affinity?.podAntiAffinity?.[required]).to.have.length(2);
    expect(spec?.affinity?.podAffinity).to.deep.equal({ [required]: [] });
  });
});
