import { expect } from 'chai';
import {
  parsePod,
  requestedBytes,
  type PodObject,
  type Toleration,
} from '../../../src/model/pod.ts';

const metadata = { name: 'db-0', namespace: 'shop', uid: 'u1' };

function parsed(object: PodObject) {
  const pod = parsePod(object);
  if (!pod.ok) {
    throw new Error(pod.error);
  }
  return pod.value;
}

describe('parsePod', () => {
  for (const field of ['name', 'namespace', 'uid'] as const) {
    it(`says that the ${field} is missing or empty`, () => {
      const missing = parsePod({ metadata: { ...metadata, [field]: undefined } });
      const empty = parsePod({ metadata: { ...metadata, [field]: '' } });

      expect(missing).to.deep.equal({
        ok: false,
        error: `Pod.metadata.${field} is missing: a text is required`,
      });
      expect(empty).to.deep.equal({
        ok: false,
        error: `Pod.metadata.${field} is "": a text is required`,
      });
    });
  }

  it('takes the usual values for what a pod does not say', () => {
    expect(parsed({ metadata })).to.deep.equal({
      ...metadata,
      schedulerName: 'default-scheduler',
      nodeName: '',
      nominatedNode: '',
      seenByScheduler: false,
      priority: 0,
      deleting: false,
      createdAt: 0,
      toleratesCordon: false,
      claims: [],
    });
  });

  const cordon = 'node.kubernetes.io/unschedulable';
  const tolerations: readonly (readonly [Toleration, boolean])[] = [
    [{ key: cordon, operator: 'Exists', effect: 'NoSchedule' }, true],
    [{ key: cordon, operator: 'Exists' }, true],
    [{ key: cordon, operator: 'Equal' }, true],
    [{ key: cordon }, true],
    [{ operator: 'Exists' }, true],
    [{ key: cordon, operator: 'Exists', effect: 'NoExecute' }, false],
    [{ key: cordon, operator: 'Equal', value: 'yes' }, false],
    [{ key: 'node.kubernetes.io/not-ready', operator: 'Exists' }, false],
    [{}, false],
  ];
  for (const [toleration, tolerates] of tolerations) {
    const text = JSON.stringify(toleration);
    it(`may ${tolerates ? '' : 'not '}run on a cordoned node with the toleration ${text}`, () => {
      const pod = parsed({ metadata, spec: { tolerations: [toleration] } });

      expect(pod).to.include({ toleratesCordon: tolerates });
    });
  }

  it('reads what a scheduler sends, nulls included', () => {
    const pod = parsed({
      metadata: {
        ...metadata,
        creationTimestamp: '2026-01-02T03:04:05Z',
        deletionTimestamp: null,
      },
      spec: { schedulerName: 'berth-scheduler', nodeName: 'n1', priority: 7, volumes: null },
    });

    expect(pod).to.include({
      schedulerName: 'berth-scheduler',
      nodeName: 'n1',
      priority: 7,
      deleting: false,
      createdAt: Date.UTC(2026, 0, 2, 3, 4, 5),
    });
  });

  it('sees that a pod is being deleted', () => {
    const deletionTimestamp = '2026-01-02T03:04:05Z';

    expect(parsed({ metadata: { ...metadata, deletionTimestamp } }).deleting).to.equal(true);
  });

  it('does not let an unreadable time spoil the order of waiting pods', () => {
    expect(parsed({ metadata: { ...metadata, creationTimestamp: 'soon' } }).createdAt).to.equal(0);
  });

  it('takes claims and generic ephemeral volumes, and no other volumes', () => {
    const pod = parsed({
      metadata,
      spec: {
        volumes: [
          { name: 'config' },
          { name: 'data', persistentVolumeClaim: { claimName: 'data-db-0' } },
          {
            name: 'scratch',
            ephemeral: {
              volumeClaimTemplate: {
                spec: { storageClassName: 'fast', resources: { requests: { storage: '1Gi' } } },
              },
            },
          },
        ],
      },
    });

    expect(pod.claims).to.deep.equal([
      { name: 'data-db-0' },
      {
        name: 'db-0-scratch',
        template: {
          className: 'fast',
          requested: { ok: true, value: 2 ** 30 },
          volumeMode: 'Filesystem',
        },
      },
    ]);
  });

  it('makes a template without class or size an ask that cannot be served, not an empty one', () => {
    const [claim] = parsed({ metadata, spec: { volumes: [{ name: 'x', ephemeral: {} }] } }).claims;

    expect(claim?.template?.className).to.equal(undefined);
    expect(claim?.template?.requested).to.deep.equal({
      ok: false,
      error: 'resources.requests.storage is missing',
    });
  });
});

describe('requestedBytes', () => {
  it('reads texts and plain numbers', () => {
    expect(requestedBytes({ storage: '1Gi' })).to.deep.equal({ ok: true, value: 2 ** 30 });
    expect(requestedBytes({ storage: 4096 })).to.deep.equal({ ok: true, value: 4096 });
    expect(requestedBytes({ storage: '1500m' })).to.deep.equal({ ok: true, value: 2 });
  });

  for (const requests of [undefined, null, {}, { storage: null }, { storage: {} }]) {
    it(`misses the size in ${JSON.stringify(requests) ?? 'nothing'}`, () => {
      expect(requestedBytes(requests)).to.deep.equal({
        ok: false,
        error: 'resources.requests.storage is missing',
      });
    });
  }

  for (const storage of ['0', '-1Gi', 'much', '8Pi', '7Pi', '4503599627370497', 1e21]) {
    it(`refuses ${storage}`, () => {
      const size = requestedBytes({ storage });

      expect(!size.ok && size.error).to.match(/^resources\.requests\.storage/);
    });
  }
});
