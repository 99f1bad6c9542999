import { expect } from 'chai';
import fc from 'fast-check';
import { Registry } from 'prom-client';
import { parsePoolSpec } from '../../../src/backends/index.ts';
import { listen } from '../../../src/http/listen.ts';
import { webhookApp, type WebhookHandlers } from '../../../src/http/webhook.ts';
import { err, ok } from '../../../src/model/result.ts';
import type { NewClaim } from '../../../src/usecases/admit-claim.ts';
import type { PodRequest } from '../../../src/usecases/admit-pod.ts';

interface Review {
  response: {
    uid: string;
    allowed: boolean;
    status?: { code: number; message: string };
    warnings?: string[];
    patch?: string;
    patchType?: string;
  };
}

const loopIn = (directory: string) => ({ backend: 'loop', loop: { directory, size: '1Gi' } });

describe('webhookApp', () => {
  const stopping = new AbortController();
  const metrics = new Registry();
  const asked: PodRequest[] = [];
  let handlers: WebhookHandlers;
  let address: string;

  before(async () => {
    const app = webhookApp({
      handlers: {
        admitPod: (request) => handlers.admitPod(request),
        admitClaim: (claim) => handlers.admitClaim(claim),
        readPool: parsePoolSpec,
      },
      log: { info: () => {}, warn: () => {}, error: () => {} },
      metrics,
    });
    const { signal } = stopping;
    const { port } = await listen(app, { address: '127.0.0.1', port: 0, signal });
    address = `http://127.0.0.1:${port}`;
  });
  after(() => stopping.abort());

  const untouched = { patch: [], warnings: [], concerned: false, scheduler: '', pools: [] };
  beforeEach(() => {
    asked.length = 0;
    handlers = {
      admitPod: async (request) => {
        asked.push(request);
        return untouched;
      },
      admitClaim: async () => ok([]),
      readPool: parsePoolSpec,
    };
  });

  async function post(path: string, body: string, type = 'application/json') {
    const headers = { 'content-type': type };
    const response = await fetch(address + path, { method: 'POST', headers, body });
    const text = await response.text();
    return { status: response.status, json: JSON.parse(text) as Review & { error?: string } };
  }

  const kinds = {
    pod: { group: '', kind: 'Pod' },
    class: { group: 'storage.k8s.io', kind: 'StorageClass' },
    pool: { group: 'berth.dev', kind: 'StoragePool' },
    claim: { group: '', kind: 'PersistentVolumeClaim' },
  };

  function review(kind: keyof typeof kinds, object: unknown, more: object = {}): string {
    const request = { uid: 'u1', kind: kinds[kind], operation: 'CREATE', object, ...more };
    return JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request });
  }

  it('answers with the uid, a patch and warnings', async () => {
    const patch = [{ op: 'add' as const, path: '/spec/schedulerName', value: 'berth-scheduler' }];
    handlers = {
      ...handlers,
      admitPod: async () => ({ ...untouched, patch, warnings: ['x'.repeat(300)] }),
    };

    const { status, json } = await post('/mutate-pod', review('pod', { spec: {} }));

    expect(status).to.equal(200);
    expect(json.response).to.include({ uid: 'u1', allowed: true, patchType: 'JSONPatch' });
    expect(JSON.parse(Buffer.from(json.response.patch ?? '', 'base64').toString())).to.deep.equal(
      patch,
    );
    expect(json.response.warnings).to.deep.equal(['x'.repeat(256)]);
  });

  it('reads the claims of a pod, with the namespace of the request', async () => {
    const annotated = {
      metadata: { annotations: { 'volume.beta.kubernetes.io/storage-class': 'old' } },
      spec: { storageClassName: 'new' },
    };
    const volumes = [
      { name: 'a', persistentVolumeClaim: { claimName: 'data' } },
      { name: 'b', ephemeral: { volumeClaimTemplate: { spec: { storageClassName: 'fast' } } } },
      { name: 'c', ephemeral: { volumeClaimTemplate: annotated } },
      { name: 'd', ephemeral: { volumeClaimTemplate: { spec: {} } } },
      { name: 'e', emptyDir: {} },
    ];
    const pod = { metadata: { generateName: 'web-' }, spec: { volumes } };

    await post('/mutate-pod', review('pod', pod, { namespace: 'shop' }));

    expect(asked[0]).to.include({ namespace: 'shop', pod: 'web-*' });
    expect(asked[0]?.claims).to.deep.equal([
      { kind: 'named', claim: 'data' },
      { kind: 'ephemeral', claim: 'b', className: 'fast' },
      { kind: 'ephemeral', claim: 'c', className: 'old' },
      { kind: 'ephemeral', claim: 'd', className: undefined },
    ]);
  });

  it('lets other kinds, operations and subresources through untouched', async () => {
    const bodies = [
      review('class', {}),
      review('pod', {}, { operation: 'UPDATE' }),
      review('pod', {}, { subResource: 'ephemeralcontainers' }),
    ];

    for (const body of bodies) {
      const { json } = await post('/mutate-pod', body);
      expect(json.response).to.deep.equal({ uid: 'u1', allowed: true });
    }
    expect(asked).to.deep.equal([]);
  });

  const refused: readonly [string, string, string, RegExp][] = [
    [
      'a class',
      '/validate-class',
      review('class', { metadata: { name: 'c' }, provisioner: 'local.berth.dev' }),
      /StorageClass c: .*pool is "".*volumeBindingMode is ""/,
    ],
    [
      'a pool',
      '/validate-pool',
      review('pool', { metadata: { name: 'p' }, spec: { backend: 'loop' } }),
      /StoragePool p: loop is missing: an object with directory and size/,
    ],
    [
      'a change of a pool',
      '/validate-pool',
      review(
        'pool',
        { metadata: { name: 'p' }, spec: loopIn('/mnt/b') },
        { operation: 'UPDATE', oldObject: { metadata: { name: 'p' }, spec: loopIn('/mnt/a') } },
      ),
      /its source is "directory \/mnt\/b" and was "directory \/mnt\/a"/,
    ],
  ];
  for (const [what, path, body, message] of refused) {
    it(`refuses ${what} with a message for its author`, async () => {
      const { status, json } = await post(path, body);

      expect(status).to.equal(200);
      expect(json.response.allowed).to.equal(false);
      expect(json.response.status?.message).to.match(message);
    });
  }

  it('never holds up a pool whose spec stays the same, or that is being deleted', async () => {
    const wrong = { metadata: { name: 'p' }, spec: { backend: 'gone' } };
    const deleted = {
      metadata: { name: 'p', deletionTimestamp: '2026-01-01T00:00:00Z' },
      spec: { backend: 'lvm' },
    };

    for (const object of [wrong, deleted]) {
      const { json } = await post(
        '/validate-pool',
        review('pool', object, { operation: 'UPDATE', oldObject: wrong }),
      );
      expect(json.response.allowed).to.equal(true);
    }
  });

  it('reads of a claim what its filesystem and its volume are to be', async () => {
    const claims: NewClaim[] = [];
    handlers = {
      ...handlers,
      admitClaim: async (claim) => {
        claims.push(claim);
        return ok(['a word']);
      },
    };
    const metadata = { name: 'd' };
    const { json } = await post('/validate-claim', review('claim', { metadata }));
    for (const object of [
      { metadata, spec: { volumeMode: 'Block', volumeName: 'pvc-1' } },
      { metadata: { ...metadata, annotations: { 'berth.dev/adopts': 'pvc-0' } } },
    ]) {
      await post('/validate-claim', review('claim', object));
    }

    expect(json.response).to.deep.include({ allowed: true, warnings: ['a word'] });
    expect(
      claims.map(({ volumeMode, hasVolume }) => `${volumeMode} ${String(hasVolume)}`),
    ).to.deep.equal(['Filesystem false', 'Block true', 'Filesystem true']);
  });

  it('passes on the verdict about a claim', async () => {
    handlers = { ...handlers, admitClaim: async () => err('PersistentVolumeClaim d: no') };

    const { json } = await post('/validate-claim', review('claim', { metadata: { name: 'd' } }));

    expect(json.response.status?.message).to.equal('PersistentVolumeClaim d: no');
  });

  const unreadable: readonly [string, string, number, RegExp][] = [
    ['no JSON', '{"apiVersion":', 400, /JSON/],
    ['an empty body', '', 400, /apiVersion and kind are missing/],
    ['a list', '[]', 400, /not a JSON object/],
    ['null', 'null', 400, /JSON/],
    ['an empty object', '{}', 400, /apiVersion and kind are missing and missing: only admission/],
    ['an old version', JSON.stringify({ apiVersion: 'admission.k8s.io/v1beta1' }), 400, /v1beta1/],
    [
      'keys in the wrong case',
      JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', Request: {} }),
      400,
      /request is missing/,
    ],
    ['no uid', review('pod', {}, { uid: 7 }), 400, /request.uid is 7: a text is expected/],
    ['no operation', review('pod', {}, { operation: null }), 400, /request.operation is null/],
    ['no pod', review('pod', undefined), 400, /request.object is missing: a Pod is expected/],
    [
      'volumes that are no list',
      review('pod', { spec: { volumes: {} } }),
      400,
      /spec.volumes is n/,
    ],
    ['20 MB', review('pod', { spec: { x: 'x'.repeat(20_000_000) } }), 413, /too large/],
  ];
  for (const [what, body, status, error] of unreadable) {
    it(`says what is wrong with ${what}, and lives`, async () => {
      const answer = await post('/mutate-pod', body);

      expect(answer.status).to.equal(status);
      expect(answer.json.error).to.match(error);
      expect((await post('/mutate-pod', review('pod', {}))).status).to.equal(200);
    });
  }

  it('names what is allowed for wrong paths, methods and content types', async () => {
    const lost = await post('/mutate', '{}');
    const got = await fetch(`${address}/mutate-pod`);
    const text = await post('/mutate-pod', review('pod', {}), 'text/plain');

    expect(lost.status).to.equal(404);
    expect(lost.json.error).to.contain('/mutate-pod');
    expect(got.status).to.equal(405);
    expect(got.headers.get('allow')).to.equal('POST');
    expect(text.status).to.equal(400);
  });

  it('answers 500 when it fails itself: the registration says what happens then', async () => {
    handlers = { ...handlers, admitPod: () => Promise.reject(new Error('no answer from API')) };

    const { status, json } = await post('/mutate-pod', review('pod', {}));

    expect(status).to.equal(500);
    expect(json.error).to.equal('no answer from API');
  });

  it('counts time by path and outcome', async () => {
    const text = await metrics.metrics();

    for (const outcome of ['allowed', 'patched', 'unreadable', 'failed']) {
      expect(text).to.contain(`path="/mutate-pod",outcome="${outcome}"`);
    }
  });

  it('answers anything at all with 200 or 400', async () => {
    const paths = fc.constantFrom(
      '/mutate-pod',
      '/validate-class',
      '/validate-pool',
      '/validate-claim',
    );
    const kind = fc.constantFrom(...(Object.keys(kinds) as (keyof typeof kinds)[]));
    const spec = fc.dictionary(
      fc.constantFrom('volumes', 'affinity', 'containers', 'loop', 'accessModes', 'resources'),
      fc.jsonValue(),
    );
    const object = fc.oneof(fc.jsonValue(), fc.record({ spec, metadata: fc.jsonValue() }));
    await fc.assert(
      fc.asyncProperty(paths, kind, object, async (path, of, given) => {
        const { status } = await post(path, review(of, given));
        expect(status).to.be.oneOf([200, 400]);
      }),
      { numRuns: 300 },
    );
  });
});
