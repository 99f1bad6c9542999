import { expect } from 'chai';
import { defaultClass, toClaim, toVolumeClass } from '../../../src/kube/claims.ts';
import type { PersistentVolumeClaim, StorageClass } from '../../../src/kube/objects.ts';
import { buildPersistentVolume } from '../../../src/kube/persistent-volumes.ts';
import { aClaim, aClass, aVolume } from '../../support/facts.ts';

const claim = (change: object = {}, metadata: object = {}): PersistentVolumeClaim => ({
  metadata: { namespace: 'shop', name: 'data', uid: 'u1', ...metadata },
  spec: {
    accessModes: ['ReadWriteOnce'],
    storageClassName: 'fast',
    resources: { requests: { storage: '1Gi' } },
    ...change,
  },
});

describe('toClaim', () => {
  it('reads an unbound claim', () => {
    expect(toClaim(claim())).to.deep.equal({
      ref: { namespace: 'shop', name: 'data', uid: 'u1' },
      resourceVersion: '',
      requested: { ok: true, value: 2 ** 30 },
      capacity: undefined,
      isResizing: false,
      className: 'fast',
      volumeName: '',
      volumeMode: 'Filesystem',
      accessModes: ['ReadWriteOnce'],
      hasSelector: false,
      lost: false,
      deleting: false,
      selectedNode: '',
      ownerPod: undefined,
    });
  });

  it('reads what makes a claim special', () => {
    const ownerReferences = [
      { kind: 'Pod', name: 'other', uid: 'p0', apiVersion: 'v1' },
      { kind: 'Pod', name: 'db', uid: 'p1', apiVersion: 'v1', controller: true },
    ];
    const object = claim(
      { volumeName: 'pv-1', volumeMode: 'Block', selector: {} },
      {
        deletionTimestamp: '2026-01-01T00:00:00Z',
        annotations: { 'volume.kubernetes.io/selected-node': 'n1' },
        ownerReferences,
      },
    );

    expect(toClaim({ ...object, status: { phase: 'Lost' } })).to.deep.include({
      volumeName: 'pv-1',
      volumeMode: 'Block',
      hasSelector: true,
      lost: true,
      deleting: true,
      selectedNode: 'n1',
      ownerPod: { name: 'db', uid: 'p1' },
    });
  });

  it('tells no class from an empty one', () => {
    expect(toClaim(claim({ storageClassName: undefined })).className).to.equal(undefined);
    expect(toClaim(claim({ storageClassName: '' })).className).to.equal('');
  });

  it('lets the beta annotation name the class first, as Kubernetes does', () => {
    const annotations = { 'volume.beta.kubernetes.io/storage-class': 'old' };

    expect(toClaim(claim({}, { annotations })).className).to.equal('old');
  });

  it('survives a claim with nothing in it', () => {
    expect(toClaim({}).requested.ok).to.equal(false);
  });
});

describe('toVolumeClass', () => {
  it('reads a class of ours', () => {
    const read = toVolumeClass({
      metadata: { name: 'fast' },
      provisioner: 'local.berth.dev',
      volumeBindingMode: 'WaitForFirstConsumer',
      reclaimPolicy: 'Retain',
      mountOptions: ['noatime'],
      parameters: { pool: 'fast' },
    });

    expect(read).to.deep.include({
      name: 'fast',
      waitsForPod: true,
      reclaimPolicy: 'Retain',
      mountOptions: ['noatime'],
    });
    expect(read.parameters.ok).to.equal(true);
  });

  it('takes the usual values of Kubernetes for what is missing', () => {
    const read = toVolumeClass({ provisioner: 'local.berth.dev' });

    expect(read).to.deep.include({ waitsForPod: false, reclaimPolicy: 'Delete', mountOptions: [] });
    expect(read.parameters.ok).to.equal(false);
  });
});

describe('defaultClass', () => {
  const named = (name: string, created: string, annotations: object): StorageClass =>
    ({
      metadata: { name, creationTimestamp: created, annotations },
      provisioner: 'x',
    }) as unknown as StorageClass;
  const yes = { 'storageclass.kubernetes.io/is-default-class': 'true' };
  const beta = { 'storageclass.beta.kubernetes.io/is-default-class': 'true' };
  const no = { 'storageclass.kubernetes.io/is-default-class': 'false' };
  const [older, newer] = ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'];
  const chosen = (...classes: StorageClass[]) => defaultClass(classes)?.metadata?.name;

  it('is none where none says so', () => {
    expect(chosen()).to.equal(undefined);
    expect(chosen(named('a', older, no), named('b', older, {}))).to.equal(undefined);
  });

  it('is the one that says so, in either annotation', () => {
    expect(chosen(named('a', newer, no), named('b', older, yes))).to.equal('b');
    expect(chosen(named('a', newer, no), named('b', older, beta))).to.equal('b');
  });

  it('is the newest of several, then the first by name', () => {
    expect(chosen(named('a', older, yes), named('b', newer, yes))).to.equal('b');
    expect(chosen(named('b', older, yes), named('a', older, yes))).to.equal('a');
  });
});

describe('buildPersistentVolume', () => {
  const ready = { status: { phase: 'Ready' as const, path: '/var/lib/berth/vol' } };

  it('is a local volume of one node, bound in advance to one claim', () => {
    const data = aClaim('data', 4096);

    const built = buildPersistentVolume(aVolume(data, 'n1', ready), data, aClass('fast'), 'host-1');

    expect(built).to.deep.equal({
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: {
        name: 'pvc-uid-data',
        annotations: { 'pv.kubernetes.io/provisioned-by': 'local.berth.dev' },
        finalizers: ['berth.dev/control'],
      },
      spec: {
        capacity: { storage: '4Ki' },
        volumeMode: 'Filesystem',
        accessModes: ['ReadWriteOnce'],
        persistentVolumeReclaimPolicy: 'Delete',
        storageClassName: 'fast',
        local: { path: '/var/lib/berth/vol', fsType: 'ext4' },
        claimRef: {
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          namespace: 'shop',
          name: 'data',
          uid: 'uid-data',
        },
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [
              {
                matchExpressions: [
                  { key: 'kubernetes.io/hostname', operator: 'In', values: ['host-1'] },
                ],
              },
            ],
          },
        },
      },
    });
  });

  it('has no filesystem as a block device', () => {
    const data = aClaim('data', 4096, { volumeMode: 'Block' });

    const { spec } = buildPersistentVolume(aVolume(data, 'n1', ready), data, aClass('fast'), 'h');

    expect(spec?.volumeMode).to.equal('Block');
    expect(spec?.local).to.deep.equal({ path: '/var/lib/berth/vol' });
  });

  it('takes mount options and reclaim policy from the class', () => {
    const data = aClaim('data', 4096);
    const volumeClass = aClass('fast', { mountOptions: ['noatime'], reclaimPolicy: 'Retain' });

    const { spec } = buildPersistentVolume(aVolume(data, 'n1', ready), data, volumeClass, 'h');

    expect(spec?.mountOptions).to.deep.equal(['noatime']);
    expect(spec?.persistentVolumeReclaimPolicy).to.equal('Retain');
  });
});
