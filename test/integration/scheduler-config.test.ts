import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { expect } from 'chai';
import { commands } from '../../src/commands/index.ts';
import { lastPolicyMinor } from '../../src/config/scheduler-config.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { waitFor } from '../cluster/wait.ts';

const pods = '/api/v1/namespaces/default/pods';
const claims = '/api/v1/namespaces/default/persistentvolumeclaims';

interface Pod {
  spec: { nodeName?: string };
}

interface Binding {
  PodName: string;
  PodNamespace: string;
  Node: string;
}

/** Agrees to every node and posts Bindings, without any volume: what is asked of it is the test. */
class AgreeableExtender {
  readonly asked: { verb: string; pod: string }[] = [];
  readonly #server: Server;
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#server = createServer((request, response) => {
      const verb = request.url?.slice(1) ?? '';
      void json(request)
        .then((body) => this.#answer(verb, body))
        .then((answer) => response.setHeader('content-type', 'application/json').end(answer));
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  verbsFor(pod: string): string[] {
    return this.asked.filter((call) => call.pod === pod).map(({ verb }) => verb);
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(verb: string, body: unknown): Promise<string> {
    if (verb === 'bind') {
      const binding = body as Binding;
      this.asked.push({ verb, pod: binding.PodName });
      return JSON.stringify({ Error: await this.#bind(binding) });
    }
    const { Pod, NodeNames } = body as { Pod: { metadata: { name: string } }; NodeNames: string[] };
    this.asked.push({ verb, pod: Pod.metadata.name });
    return JSON.stringify(
      verb === 'filter'
        ? { NodeNames, FailedNodes: {}, Error: '' }
        : NodeNames.map((Host) => ({ Host, Score: 5 })),
    );
  }

  async #bind({ PodName, Node }: Binding): Promise<string> {
    const body = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name: PodName, namespace: 'default' },
      target: { apiVersion: 'v1', kind: 'Node', name: Node },
    };
    try {
      await this.#cluster.api.request('POST', `${pods}/${PodName}/binding`, { body });
      return '';
    } catch (error) {
      return String(error);
    }
  }
}

interface PodOptions {
  schedulerName: string;
  isRouted?: boolean;
  claim?: string;
}

describe('the printed configuration in a real kube-scheduler', () => {
  let cluster: Cluster;
  let extender: AgreeableExtender;

  before(async function () {
    this.timeout(900_000);
    cluster = await startCluster();
    extender = new AgreeableExtender(cluster);
    await extender.start();
    await cluster.addHollowNodes(3);
    await cluster.api.request('POST', '/apis/storage.k8s.io/v1/storageclasses', {
      body: {
        metadata: { name: 'disks' },
        provisioner: 'local.berth.dev',
        volumeBindingMode: 'WaitForFirstConsumer',
      },
    });
  });

  after(async function () {
    this.timeout(60_000);
    extender.stop();
    await cluster.stop();
  });

  /** Runs the command as a person would, and returns what it prints. */
  async function print(...flags: string[]): Promise<string> {
    const lines: string[] = [];
    const minor = cluster.version.minor;
    const args = [`--kubernetes=1.${minor}`, `--extender-url=${extender.url}`, ...flags];
    await commands['scheduler-config']?.run({
      args,
      env: {},
      out: (text) => void lines.push(text),
      signal: AbortSignal.timeout(10_000),
    });
    return lines.join('\n');
  }

  async function withScheduler(flags: string[], work: () => Promise<void>): Promise<void> {
    const isPolicy = flags.includes('--format=policy');
    const config = await print(...flags);
    // The comment on top says which flags go with the file.
    const further = [...config.matchAll(/^# {3}(--scheduler-name\S+)$/gm)].map(([, flag]) => flag);
    const program = await cluster.startScheduler({
      name: flags.join('').replaceAll(/[^a-z]/g, '') || 'plain',
      config,
      format: isPolicy ? 'policy' : 'component',
      flags: further.filter((flag) => flag !== undefined),
    });
    try {
      await work();
    } finally {
      await program.stop();
    }
  }

  async function createPod(name: string, options: PodOptions): Promise<void> {
    const resources = options.isRouted ? { limits: { 'berth.dev/volume': '1' } } : {};
    const body = {
      metadata: { name },
      spec: {
        schedulerName: options.schedulerName,
        automountServiceAccountToken: false,
        containers: [{ name: 'main', image: 'none', resources }],
        volumes: options.claim
          ? [{ name: 'data', persistentVolumeClaim: { claimName: options.claim } }]
          : [],
      },
    };
    // The account "default" appears some time after its namespace.
    await waitFor(`pod ${name}`, async () => cluster.api.request('POST', pods, { body }), {
      timeoutMs: 15_000,
    });
  }

  async function createClaim(name: string): Promise<void> {
    await cluster.api.request('POST', claims, {
      body: {
        metadata: { name },
        spec: {
          storageClassName: 'disks',
          accessModes: ['ReadWriteOnce'],
          resources: { requests: { storage: '1Gi' } },
        },
      },
    });
  }

  const nodeOf = (name: string): Promise<string> =>
    waitFor(
      `a node for pod ${name}`,
      async () => (await cluster.api.request<Pod>('GET', `${pods}/${name}`)).spec.nodeName,
      { timeoutMs: 20_000 },
    );

  const hasPolicy = (): boolean => cluster.version.minor <= lastPolicyMinor;

  it('lets a scheduler of our own give every pod, and no unbound claim, to the extender', async function () {
    this.timeout(60_000);
    await withScheduler([], async () => {
      await createClaim('own');
      await createPod('own', { schedulerName: 'berth-scheduler', claim: 'own' });

      await nodeOf('own');

      expect(extender.verbsFor('own')).to.deep.equal(['filter', 'prioritize', 'bind']);
    });
  });

  it('does the same by a Policy file, where the version reads one', async function () {
    this.timeout(60_000);
    if (!hasPolicy()) {
      const refusal = await print('--format=policy').catch(String);
      expect(refusal).to.contain('reads no Policy file');
      return;
    }
    await withScheduler(['--format=policy'], async () => {
      await createClaim('policy');
      await createPod('policy', { schedulerName: 'berth-scheduler', claim: 'policy' });

      await nodeOf('policy');

      expect(extender.verbsFor('policy')).to.deep.equal(['filter', 'prioritize', 'bind']);
    });
  });

  it('lets a shared scheduler ask about the pods that carry the resource, and no others', async function () {
    this.timeout(60_000);
    await withScheduler(['--mode=shared'], async () => {
      await createClaim('shared');
      await createPod('plain', { schedulerName: 'default-scheduler' });
      await createPod('shared', {
        schedulerName: 'berth-scheduler',
        claim: 'shared',
        isRouted: true,
      });

      await Promise.all([nodeOf('plain'), nodeOf('shared')]);

      expect(extender.verbsFor('plain')).to.deep.equal([]);
      expect(extender.verbsFor('shared')).to.deep.equal(['filter', 'prioritize', 'bind']);
    });
  });

  it('keeps VolumeBinding in a shared Policy, which holds for all pods', async function () {
    this.timeout(60_000);
    if (!hasPolicy()) {
      const refusal = await print('--format=policy', '--mode=shared').catch(String);
      expect(refusal).to.contain('reads no Policy file');
      return;
    }
    await withScheduler(['--format=policy', '--mode=shared'], async () => {
      await createClaim('late');
      await createPod('late', {
        schedulerName: 'default-scheduler',
        claim: 'late',
        isRouted: true,
      });

      const node = await waitFor(
        'the node on the claim',
        async () => {
          const { metadata } = await cluster.api.request<{
            metadata: { annotations?: Record<string, string> };
          }>('GET', `${claims}/late`);
          return metadata.annotations?.['volume.kubernetes.io/selected-node'];
        },
        { timeoutMs: 20_000 },
      );

      expect(node).to.match(/^hollow-/);
      expect(extender.verbsFor('late')).to.deep.equal(['filter', 'prioritize']);
    });
  });
});
