import { expect } from 'chai';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { issueAuthority, issueServerCertificate } from '../../src/certs/issue.ts';
import { instanceStore } from '../../src/kube/broker-instances.ts';
import { openCluster } from '../../src/kube/client.ts';
import type { PersistentVolumeClaim, Pod } from '../../src/kube/objects.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { loopsBelow } from '../cluster/leftover-disks.ts';
import type { RealNode } from '../cluster/real-node.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { waitFor } from '../cluster/wait.ts';
import { bindingPath, instancePath, Platform, type Answered } from '../support/broker/platform.ts';
import { brokerUser, Installation, nodeFolders } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import { MiB, storageClass, storagePool } from '../support/objects.ts';

interface SetPart {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly template: { readonly spec: { readonly containers: readonly object[] } };
  };
}
interface Credentials {
  readonly claims: readonly string[];
  readonly nodes: readonly string[];
  readonly manifest: { readonly statefulSet: SetPart };
}

const image = 'berth.test/busybox:1';
const small = { service_id: 'disks', plan_id: 'small' };
const large = { service_id: 'disks', plan_id: 'large' };
const common = {
  ...{ description: 'Three volumes on three nodes', storageClass: 'fast', count: 3 },
  ...{ cpu: '10m', placeholder: 'keep' },
};
const catalog = {
  services: [
    {
      ...{ id: 'disks', name: 'disks', description: 'Local disks' },
      plans: [
        { id: 'small', name: 'small', size: '320Mi', ...common },
        { id: 'large', name: 'large', size: '480Mi', ...common },
      ],
    },
  ],
};

/** What a person adds to the manifest of a binding: labels, and what the containers run. */
function completed({ metadata, spec, ...set }: SetPart): object {
  const labels = { app: metadata.name };
  const { template } = spec;
  const containers = template.spec.containers.map((container) => ({
    ...container,
    image,
    command: ['sh', '-c', 'trap exit TERM; while :; do sleep 1; done'],
  }));
  return {
    ...{ ...set, metadata },
    spec: {
      ...spec,
      ...{ serviceName: metadata.name, podManagementPolicy: 'Parallel' },
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { ...template.spec, containers } },
    },
  };
}

describe('a platform on real nodes', function () {
  this.timeout(180_000);
  const names = ['n1', 'n2', 'n3'];
  let cluster: Cluster;
  let kube: Kube;
  let nodes: readonly RealNode[];
  let platform: Platform;
  let told: Credentials;
  let pods: readonly string[];

  before(async function () {
    this.timeout(300_000);
    cluster = await startCluster();
    kube = new Kube(cluster);
    const berth = await Installation.on(cluster);
    await berth.startScheduler(await berth.startControl());
    nodes = await cluster.startKubelets(names, { folders: nodeFolders });
    await Promise.all(nodes.map((node) => berth.startAgent(node)));
    await berth.startWebhook();
    await kube.create(storagePool('fast', '600Mi'));
    // Growing an ext4 in use needs CAP_SYS_RESOURCE, which not every machine of a test has.
    const fast = storageClass('fast', { pool: 'fast', fsType: 'xfs' });
    await kube.create({ ...fast, allowVolumeExpansion: true });
    await berth.poolsReported('fast', names);

    const authority = await issueAuthority(Date.now());
    const server = await issueServerCertificate(authority, ['127.0.0.1'], Date.now());
    const folder = join(cluster.dir, 'broker-tls');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'tls.crt'), server.cert);
    writeFileSync(join(folder, 'tls.key'), server.key);
    const { port } = await berth.startBroker(catalog, {
      flags: [
        ...['--tls-cert-file', join(folder, 'tls.crt'), '--tls-key-file', join(folder, 'tls.key')],
        ...['--placeholder-image', image],
      ],
    });
    const store = instanceStore(openCluster(cluster.kubeconfig).api);
    const as = { ca: authority.cert, user: brokerUser };
    platform = new Platform(`https://127.0.0.1:${port}`, store, as);
  });

  after(() => cluster?.stop());

  async function ended(query: Readonly<Record<string, string>>): Promise<Answered> {
    let last: Answered | undefined;
    return waitFor(
      'the operation to end',
      async () => {
        last = await platform.ask({ path: `${instancePath('db')}/last_operation`, query });
        return last.body['state'] === 'in progress' ? undefined : last;
      },
      { timeoutMs: 60_000, explain: async () => JSON.stringify(last?.body) },
    );
  }

  function exec(name: string, command: string): Promise<string> {
    const args = ['exec', name, '--', 'sh', '-c', command];
    return cluster.kubectl(args, { timeoutMs: 30_000 });
  }

  it('finds a plan, and gets a set of three volumes on three nodes', async () => {
    const { body } = await platform.ask({ path: '/v2/catalog' });
    expect(JSON.stringify(body)).to.include('"id":"small"');
    const begun = await platform.provision('db', {
      ...{ ...small, organization_guid: 'o', space_guid: 's' },
      context: { platform: 'kubernetes', namespace: 'default' },
    });
    expect(begun.status, JSON.stringify(begun.body)).to.equal(202);

    const made = await ended(small);

    expect(made.body['state'], JSON.stringify(made.body)).to.equal('succeeded');
    const bound = await platform.bind('db', 'app', small);
    told = bound.body['credentials'] as Credentials;
    expect(told.nodes).to.have.members(names);
  });

  it('runs a StatefulSet of the binding, which takes the places that were kept for it', async () => {
    const set = told.manifest.statefulSet;
    pods = names.map((_, at) => `${set.metadata.name}-${at}`);
    await kube.create(completed(set));
    await kube.running(...pods);

    const where = await Promise.all(pods.map((name) => kube.nodeOf(name)));
    expect(where).to.deep.equal(told.nodes);
    await Promise.all(pods.map((name) => exec(name, `echo I am ${name} > /data/who; sync`)));
  });

  it('lets the volumes grow under the pods, with their data', async () => {
    expect((await platform.update('db', large)).status).to.equal(202);
    const grown = await ended(small);

    expect(grown.body['state'], JSON.stringify(grown.body)).to.equal('succeeded');
    for (const name of pods) {
      const kilobytes = Number(await exec(name, "df -k /data | awk 'END {print $2}'"));
      expect(kilobytes * 1024).to.be.within(480 * MiB * 0.8, 480 * MiB);
      expect((await exec(name, 'cat /data/who')).trim()).to.equal(`I am ${name}`);
    }
  });

  it('refuses to take it away while it is bound, and while pods use it', async () => {
    expect((await platform.deprovision('db', large)).status).to.equal(422);
    const unbind = { method: 'DELETE', path: bindingPath('db', 'app'), query: large };
    expect((await platform.ask(unbind)).status).to.equal(200);
    expect((await platform.deprovision('db', large)).status).to.equal(202);

    const refused = await ended(large);

    expect(refused.body, JSON.stringify(refused.body)).to.include({
      state: 'failed',
      instance_usable: true,
    });
    expect((await exec(pods[0] ?? '', 'cat /data/who')).trim()).to.equal(`I am ${pods[0] ?? ''}`);
  });

  it('takes it away when nobody uses it, down to the disks', async () => {
    await kube.delete('StatefulSet', told.manifest.statefulSet.metadata.name);
    await kube.gone('Pod', ...pods);
    expect((await platform.deprovision('db', large)).status).to.equal(202);
    expect((await ended(large)).status).to.equal(410);

    await kube.noVolumesLeft(60_000);
    expect(await kube.list<PersistentVolumeClaim>('PersistentVolumeClaim')).to.deep.equal([]);
    expect(await kube.list<Pod>('Pod')).to.deep.equal([]);
    for (const node of nodes) {
      expect(await node.run('ls', ['/var/lib/berth/pools/fast'])).to.equal('');
      expect(await loopsBelow(join(node.dir, 'host/var/lib/berth'))).to.deep.equal([]);
    }
  });
});
