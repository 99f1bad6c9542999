import { expect } from 'chai';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  issueAuthority,
  issueServerCertificate,
  type CertificatePair,
} from '../../src/certs/issue.ts';
import { instanceStore } from '../../src/kube/broker-instances.ts';
import { openCluster } from '../../src/kube/client.ts';
import type { PersistentVolumeClaim, Pod } from '../../src/kube/objects.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { waitFor } from '../cluster/wait.ts';
import { bindingPath, instancePath, Platform, type Answered } from '../support/broker/platform.ts';
import { brokerUser, Installation, type BrokerRole } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import { needLoopDevices } from '../support/loop-pool.ts';
import { storageClass, storagePool } from '../support/objects.ts';

const ids = { service_id: 'disks', plan_id: 'set' };
const larger = { service_id: 'disks', plan_id: 'larger-set' };
const provisioning = {
  ...ids,
  organization_guid: 'org',
  space_guid: 'space',
  context: { platform: 'kubernetes', namespace: 'default' },
};

function plan(id: string, more: object): object {
  return { id, name: id, description: id, storageClass: 'fast', count: 3, ...more };
}

const catalog = {
  services: [
    {
      id: 'disks',
      name: 'disks',
      description: 'Local disks',
      plans: [
        plan('set', { size: '16Mi', cpu: '10m' }),
        plan('larger-set', { size: '32Mi' }),
        plan('huge-set', { size: '10Gi', patience: '30s' }),
      ],
    },
  ],
};

function basic(pair: string): string {
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}

describe('berth broker, asked over HTTPS by a platform', function () {
  this.timeout(180_000);
  const nodes = ['h1', 'h2', 'h3'];
  let cluster: Cluster;
  let kube: Kube;
  let authority: CertificatePair;
  let tlsFlags: readonly string[];
  let replicas: readonly BrokerRole[];
  let platforms: readonly Platform[];

  const platform = (turn = 0): Platform => {
    const found = platforms[turn % platforms.length];
    if (found === undefined) {
      throw new Error('no broker is running');
    }
    return found;
  };
  const fileOf = (name: string, replica = 'broker-0'): string => join(cluster.dir, replica, name);

  async function writeCertificate(): Promise<string> {
    const { cert, key } = await issueServerCertificate(authority, ['127.0.0.1'], Date.now());
    mkdirSync(join(cluster.dir, 'broker-tls'), { recursive: true });
    writeFileSync(fileOf('tls.crt', 'broker-tls'), cert);
    writeFileSync(fileOf('tls.key', 'broker-tls'), key);
    return cert;
  }

  before(async function () {
    needLoopDevices(this);
    this.timeout(900_000);
    cluster = await startCluster();
    kube = new Kube(cluster);
    const berth = await Installation.on(cluster);
    await cluster.addHollowNodes(nodes);
    const control = await berth.startControl();
    await berth.startScheduler(control);
    await Promise.all(nodes.map((node) => berth.startHollowAgent(node)));
    await kube.create(storagePool('fast', '100Mi'));
    const growing = { ...storageClass('fast', { pool: 'fast' }), allowVolumeExpansion: true };
    await kube.create(growing);
    await berth.poolsReported('fast', nodes);
    authority = await issueAuthority(Date.now());
    await writeCertificate();
    tlsFlags = [
      ...['--tls-cert-file', fileOf('tls.crt', 'broker-tls')],
      ...['--tls-key-file', fileOf('tls.key', 'broker-tls')],
      ...['--placeholder-scheduler', 'berth-scheduler'],
    ];
    const start = (name: string): Promise<BrokerRole> =>
      berth.startBroker(catalog, { name, flags: tlsFlags });
    replicas = [await start('broker-0'), await start('broker-1')];
    const store = instanceStore(openCluster(cluster.kubeconfig).api);
    platforms = replicas.map(
      ({ port }) =>
        new Platform(`https://127.0.0.1:${port}`, store, { ca: authority.cert, user: brokerUser }),
    );
  });

  after(() => cluster?.stop());

  /** Polls, at one replica and the other in turn, as a load balancer would let it. */
  async function ended(id: string, query: Readonly<Record<string, string>>): Promise<Answered> {
    let turn = 0;
    return waitFor(
      `the operation of ${id} to end`,
      async () => {
        turn += 1;
        const polled = await platform(turn).ask({
          path: `${instancePath(id)}/last_operation`,
          query,
        });
        return polled.status !== 200 || polled.body['state'] !== 'in progress' ? polled : undefined;
      },
      { timeoutMs: 90_000 },
    );
  }

  async function nothingLeft(): Promise<void> {
    await kube.noVolumesLeft(60_000);
    expect(await kube.list<PersistentVolumeClaim>('PersistentVolumeClaim')).to.deep.equal([]);
    expect(await kube.list<Pod>('Pod')).to.deep.equal([]);
  }

  it('makes a set, tells where it is, lets it grow, and takes it away', async () => {
    const begun = await platform().provision('db', provisioning);
    expect(begun.status, JSON.stringify(begun.body)).to.equal(202);
    const made = await ended('db', { ...ids, operation: String(begun.body['operation']) });
    expect(made.body, JSON.stringify(made.body)).to.include({ state: 'succeeded' });

    const bound = await platform().bind('db', 'app', ids);
    expect(bound.status).to.equal(201);
    const told = bound.body['credentials'] as { claims: string[]; nodes: string[] };
    expect(told.nodes).to.have.members(nodes);
    for (const name of told.claims) {
      const claim = await kube.get<PersistentVolumeClaim>('PersistentVolumeClaim', name);
      expect(claim.status?.phase).to.equal('Bound');
    }
    const { statefulSet } = (bound.body['credentials'] as { manifest: { statefulSet?: object } })
      .manifest;
    expect(statefulSet, 'claims have the names that a StatefulSet takes').to.not.equal(undefined);

    expect((await platform().update('db', larger)).status).to.equal(202);
    const grown = await ended('db', ids);
    expect(grown.body, JSON.stringify(grown.body)).to.include({ state: 'succeeded' });
    const claim = await kube.get<PersistentVolumeClaim>(
      'PersistentVolumeClaim',
      told.claims[0] ?? '',
    );
    expect(claim.status?.capacity?.['storage']).to.equal('32Mi');

    const refused = await platform().deprovision('db', larger);
    expect(refused).to.deep.include({ status: 422 });
    const unbound = { method: 'DELETE', path: bindingPath('db', 'app'), query: larger };
    expect((await platform().ask(unbound)).status).to.equal(200);
    expect((await platform().deprovision('db', larger)).status).to.equal(202);
    expect((await ended('db', larger)).status).to.equal(410);
    expect((await platform().deprovision('db', larger)).status).to.equal(410);
    await nothingLeft();
  });

  it('says why an instance cannot be made, and leaves nothing of it', async () => {
    const huge = { service_id: 'disks', plan_id: 'huge-set' };
    expect((await platform().provision('big', { ...provisioning, ...huge })).status).to.equal(202);
    const failed = await ended('big', huge);
    expect(failed.body, JSON.stringify(failed.body)).to.include({ state: 'failed' });
    expect(String(failed.body['description'])).to.match(/fast|room|space|free/i);
    await nothingLeft();

    expect((await platform().deprovision('big', huge)).status).to.equal(202);
    expect((await ended('big', huge)).status).to.equal(410);
  });

  it('answers 500 while the API server is away, and the same request goes on afterwards', async () => {
    await cluster.kill('apiserver');
    const lost = await platform().provision('late', provisioning);
    expect(lost.status, JSON.stringify(lost.body)).to.equal(500);
    await cluster.restart('apiserver');

    const begun = await waitFor(
      'the request to be taken',
      async () => {
        const asked = await platform().provision('late', provisioning);
        return asked.status === 500 ? undefined : asked;
      },
      { timeoutMs: 30_000 },
    );
    expect(begun.status, JSON.stringify(begun.body)).to.equal(202);
    const made = await ended('late', ids);
    expect(made.body, JSON.stringify(made.body)).to.include({ state: 'succeeded' });
    await platform().deprovision('late', ids);
    expect((await ended('late', ids)).status).to.equal(410);
    await nothingLeft();
  });

  it('takes new credentials without a restart, and keeps those it has when the file is wrong', async () => {
    const status = async (pair: string): Promise<number> =>
      (await platform().ask({ path: '/v2/catalog', headers: { authorization: basic(pair) } }))
        .status;
    const path = fileOf('credentials');
    writeFileSync(path, `${brokerUser}\nplatform:another\n`);
    await waitFor('the new password', async () => (await status('platform:another')) === 200, {
      timeoutMs: 10_000,
    });
    expect(await status(brokerUser)).to.equal(200);
    writeFileSync(path, 'platform:another\n');
    await waitFor('the old one to be gone', async () => (await status(brokerUser)) === 401, {
      timeoutMs: 10_000,
    });
    writeFileSync(path, 'nothing that can be read\n');
    await reloaded('credentials', 'refused');
    expect(await status('platform:another')).to.equal(200);
    writeFileSync(path, `${brokerUser}\n`);
    await waitFor('the first one again', async () => (await status(brokerUser)) === 200, {
      timeoutMs: 10_000,
    });
  });

  it('takes a new catalog without a restart, and keeps the one it has when the file is wrong', async () => {
    const names = async (): Promise<readonly string[]> => {
      const { body } = await platform().ask({ path: '/v2/catalog' });
      const services = body['services'] as { plans: { name: string }[] }[];
      return services.flatMap(({ plans }) => plans.map(({ name }) => name));
    };
    const path = fileOf('catalog');
    writeFileSync(path, '{"services": [{}]}');
    await reloaded('catalog', 'refused');
    expect(await names()).to.include('set');
    const [service] = catalog.services;
    const plans = [...(service?.plans ?? []), plan('fresh', { size: '1Mi' })];
    writeFileSync(path, JSON.stringify({ services: [{ ...service, plans }] }));
    await waitFor('the new plan', async () => (await names()).includes('fresh'), {
      timeoutMs: 10_000,
    });
  });

  it('shows a renewed certificate without a restart', async () => {
    const other = await issueAuthority(Date.now());
    const store = instanceStore(openCluster(cluster.kubeconfig).api);
    const url = `https://127.0.0.1:${replicas[0]?.port ?? 0}`;
    const trusting = new Platform(url, store, { ca: other.cert, user: brokerUser });
    const isTrusted = async (): Promise<boolean> =>
      trusting.ask({ path: '/v2/catalog' }).then(
        ({ status }) => status === 200,
        () => false,
      );
    expect(await isTrusted()).to.equal(false);
    authority = other;
    await writeCertificate();
    await waitFor('the new certificate', isTrusted, { timeoutMs: 20_000 });
  });

  async function reloaded(file: string, outcome: string): Promise<void> {
    const line = new RegExp(`berth_broker_reloads_total\\{file="${file}",outcome="${outcome}"\\}`);
    await waitFor(
      `${file} to be ${outcome}`,
      async () => {
        const response = await fetch(`${replicas[0]?.ops ?? ''}/metrics`);
        return line.test(await response.text());
      },
      { timeoutMs: 10_000 },
    );
  }
});
