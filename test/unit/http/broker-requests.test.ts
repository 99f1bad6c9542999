import { expect } from 'chai';
import type { InstanceStore } from '../../../src/usecases/broker-ports.ts';
import { catalogText } from '../../support/broker/catalog.ts';
import { memoryStore } from '../../support/broker/memory-store.ts';
import {
  async,
  bindingPath,
  ids,
  instancePath,
  provisioning,
} from '../../support/broker/platform.ts';
import { serveBroker, type Served } from '../../support/broker/served.ts';

interface PlanJson {
  readonly id: string;
  readonly plan_updateable: boolean;
  readonly maximum_polling_duration?: number;
  readonly maintenance_info?: { readonly version: string };
  readonly schemas: {
    readonly service_instance: Record<'create' | 'update', { parameters: SchemaJson }>;
    readonly service_binding: { readonly create: { readonly parameters: SchemaJson } };
  };
}
interface SchemaJson {
  readonly $schema: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

describe('requests to the service broker', () => {
  let stopping: AbortController;
  let store: InstanceStore;
  let served: Served;

  beforeEach(async () => {
    stopping = new AbortController();
    store = memoryStore();
    // The store of the moment: a test may put another one in its place.
    const current: InstanceStore = {
      get: (...args) => store.get(...args),
      list: () => store.list(),
      create: (...args) => store.create(...args),
      ask: (...args) => store.ask(...args),
      tell: (...args) => store.tell(...args),
      remove: (...args) => store.remove(...args),
    };
    served = await serveBroker(current, stopping.signal);
  });
  afterEach(() => stopping.abort());

  async function plans(): Promise<readonly PlanJson[]> {
    const { body } = await served.platform.ask({ path: '/v2/catalog' });
    return (body['services'] as { plans: PlanJson[] }[]).flatMap((service) => service.plans);
  }

  it('shows of a plan what may be asked, and what the file says', async () => {
    const all = new Map((await plans()).map((plan) => [plan.id, plan]));
    const small = all.get('small-id');
    const create = small?.schemas.service_instance.create.parameters;
    expect(create?.$schema).to.match(/draft-04/);
    expect(create?.properties).to.have.all.keys('size', 'count');
    expect(small?.schemas.service_instance.update.parameters.properties).to.have.all.keys('size');
    expect(small).to.include({ maximum_polling_duration: 1200, plan_updateable: true });
    expect(small?.maintenance_info?.version).to.equal('1.0.0');
    expect(all.get('locked-id')?.plan_updateable).to.equal(false);
    const raw = all.get('raw-id')?.schemas.service_binding.create.parameters;
    expect(raw?.properties).to.have.all.keys('devicePath');
  });

  it('shows a catalog of thousands of plans whole, and serves each', async () => {
    const many = Array.from(
      { length: 5_000 },
      (_, at) =>
        `  - {id: p${at}, name: n${at}, description: d, storageClass: fast, size: {least: 1Gi, most: 9Gi}}`,
    );
    served.setCatalog(
      `services:\n- id: s\n  name: s\n  description: d\n  plans:\n${many.join('\n')}\n`,
    );
    expect(await plans()).to.have.length(5_000);
    const body = { ...provisioning, service_id: 's', plan_id: 'p4999' };
    expect((await served.platform.provision('i', body)).status).to.equal(202);
  });

  it('says that the catalog is what the platform knows, and shows it again once it has changed', async () => {
    const { platform } = served;
    const ask = (etag: string) =>
      platform.ask({ path: '/v2/catalog', headers: { 'if-none-match': etag } });
    const first = await platform.ask({ path: '/v2/catalog' });
    const etag = first.headers.get('etag') ?? '';

    const again = await ask(etag);
    expect(again).to.deep.include({ status: 304, body: {} });
    served.setCatalog(catalogText.replace('Local disks', 'Other disks'));
    const changed = await ask(etag);
    expect(changed.status).to.equal(200);
    expect(changed.headers.get('etag')).not.to.equal(etag);
    const stranger = { 'if-none-match': etag, authorization: '' };
    expect((await platform.ask({ path: '/v2/catalog', headers: stranger })).status).to.equal(401);
  });

  it('keeps an instance whose plan has left the catalog: it can be bound, looked at and given up', async () => {
    const { platform } = served;
    await platform.provision('i');
    await platform.tell('i', {});
    served.setCatalog(catalogText.replaceAll('small-id', 'other-id'));

    expect((await platform.ask({ path: instancePath('i') })).status).to.equal(200);
    expect((await platform.bind('i', 'b')).status).to.equal(201);
    const grown = await platform.update('i', { ...ids, parameters: { size: '9Gi' } });
    expect(grown.status).to.equal(422);
    const unbound = { method: 'DELETE', path: bindingPath('i', 'b'), query: ids };
    expect((await platform.ask(unbound)).status).to.equal(200);
    expect((await platform.deprovision('i')).status).to.equal(202);
  });

  it('tells a workload namespace, claims, nodes, mounts and the parts of its manifest', async () => {
    const { platform } = served;
    await platform.provision('i', { ...provisioning, parameters: { count: 2 } });
    await platform.tell('i', {});
    const { body } = await platform.bind('i', 'b', { ...ids, parameters: { mountPath: '/srv' } });

    const told = body['credentials'] as Record<string, unknown>;
    expect(told).to.deep.include({
      namespace: 'default',
      volumeMode: 'Filesystem',
      size: '2Gi',
      claims: ['data-i-0', 'data-i-1'],
      nodes: ['node-0', 'node-1'],
      mount: { mountPath: '/srv', readOnly: false },
    });
    const { pods, statefulSet } = told['manifest'] as {
      pods: { claim: string; spec: Record<string, unknown> }[];
      statefulSet: { metadata: { name: string }; spec: { replicas: number } };
    };
    expect(pods.map(({ claim }) => claim)).to.deep.equal(['data-i-0', 'data-i-1']);
    expect(JSON.stringify(pods[0]?.spec['affinity'])).to.include('"values":["node-0"]');
    expect(JSON.stringify(pods[0]?.spec['containers'])).to.include('"cpu":"500m"');
    expect(statefulSet.metadata.name).to.equal('i');
    expect(statefulSet.spec.replicas).to.equal(2);
  });

  it('tells a workload of a raw device where it is, and nothing of mounting it', async () => {
    const { platform } = served;
    const raw = { service_id: 'blocks-id', plan_id: 'raw-id' };
    await platform.provision('i', { ...provisioning, ...raw, parameters: {} });
    await platform.tell('i', {});
    const { body } = await platform.bind('i', 'b', raw);

    const told = body['credentials'] as Record<string, unknown>;
    expect(told['mount']).to.deep.equal({ devicePath: '/dev/data' });
    expect(JSON.stringify(told['manifest'])).to.include('volumeDevices').and.not.include('Mounts');
  });

  it('keeps the quota of a plan, also for requests at the same moment', async () => {
    const { platform } = served;
    const body = { ...provisioning, plan_id: 'quota-id', parameters: {} };
    const asked = Array.from({ length: 6 }, (_, at) => platform.provision(`i${at}`, body));
    const answers = await Promise.all(asked);

    expect(answers.filter(({ status }) => status === 202)).to.have.length(2);
    const refused = answers.find(({ status }) => status === 422);
    expect(refused?.body['error']).to.equal('QuotaExceeded');
    const elsewhere = { ...body, context: { platform: 'kubernetes', namespace: 'other' } };
    expect((await platform.provision('j', elsewhere)).status).to.equal(202);
  });

  it('answers the same request at the same moment with one operation', async () => {
    const { platform } = served;
    const asked = Array.from({ length: 10 }, () => platform.provision('i'));
    const answers = await Promise.all(asked);

    expect(new Set(answers.map(({ status }) => status))).to.deep.equal(new Set([202]));
    expect(new Set(answers.map(({ body }) => body['operation'])).size).to.equal(1);
  });

  it('lets one of several different requests at the same moment win', async () => {
    const { platform } = served;
    await platform.provision('i');
    await platform.tell('i', {});
    const sizes = ['4Gi', '5Gi', '6Gi'];
    const answers = await Promise.all(
      sizes.map((size) => platform.update('i', { ...ids, parameters: { size } })),
    );

    expect(answers.filter(({ status }) => status === 202)).to.have.length(1);
    const others = answers.filter(({ status }) => status !== 202);
    expect(others.map(({ body }) => body['error'])).to.deep.equal(
      others.map(() => 'ConcurrencyError'),
    );
  });

  it('answers 500 while the store is away, and the same request again then goes on', async () => {
    const { platform, logged } = served;
    const real = store;
    // The answer of the store is lost: it has written all the same.
    store = {
      ...real,
      create: async (instance) => {
        await real.create(instance);
        throw new Error('connection lost');
      },
    };
    const lost = await platform.provision('i');
    expect(lost.status).to.equal(500);
    expect(JSON.stringify(lost.body)).not.to.include('connection lost');
    expect(logged.some(({ fields }) => fields['error'] === 'connection lost')).to.equal(true);

    store = real;
    const operation = await platform.operation('i');
    const again = await platform.provision('i');
    expect(again).to.deep.include({ status: 202, body: { operation } });
  });

  it('gives up an instance whose answer was lost', async () => {
    const { platform } = served;
    await platform.provision('i');
    expect((await platform.deprovision('i')).status).to.equal(202);
    await platform.forget('i');
    expect((await platform.deprovision('i')).status).to.equal(410);
  });

  it('takes bindings away with an instance whose plan waits for its users', async () => {
    const { platform } = served;
    const waiting = { service_id: 'disks-id', plan_id: 'waiting-id' };
    await platform.provision('i', { ...provisioning, ...waiting, parameters: {} });
    await platform.tell('i', {});
    await platform.bind('i', 'b', waiting);
    expect((await platform.deprovision('i', waiting)).status).to.equal(202);
    expect((await platform.ask({ path: bindingPath('i', 'b') })).status).to.equal(404);
  });

  it('logs who asked for what, and neither passwords nor parameters', async () => {
    const { platform, logged, metrics } = served;
    const identity = Buffer.from(JSON.stringify({ user_id: 'jo' })).toString('base64');
    await platform.ask({
      ...{ method: 'PUT', path: instancePath('i'), query: async },
      body: { ...provisioning, parameters: { size: '3Gi', secret: 'hunter2' } },
      headers: {
        'x-broker-api-originating-identity': `cloudfoundry ${identity}`,
        'x-broker-api-request-identity': 'r-1',
      },
    });
    const text = JSON.stringify(logged);
    expect(logged.map(({ fields }) => fields).at(-1)).to.include({
      endpoint: '/v2/service_instances/:instance_id',
      ...{ method: 'PUT', status: 400, instance_id: 'i', client: 'platform' },
      ...{ platform: 'cloudfoundry', user: 'jo', request: 'r-1' },
    });
    expect(text).not.to.include('first-password').and.not.include('hunter2');
    expect(await metrics.metrics()).to.match(
      /berth_broker_request_seconds_count\{endpoint="\/v2\/service_instances\/:instance_id",method="PUT",status="400"\} 1/,
    );
  });
});
