import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { loadAll } from 'js-yaml';

import type { Cluster } from '../cluster/cluster.ts';
import { freePort } from '../cluster/ports.ts';
import type { Program, ProgramSpec } from '../cluster/program.ts';
import type { RealNode } from '../cluster/real-node.ts';
import { waitFor } from '../cluster/wait.ts';

const root = join(import.meta.dirname, '../..');
export const berthFile = join(root, 'dist/berth.js');
const run = promisify(execFile);

/** Where agents keep volumes, and the links to their devices. */
export const nodeFolders = ['/var/lib/berth', '/run/berth'];

/** A running role: the process, and where it answers. */
export interface Role {
  readonly program: Program;
  /** Base URL of /healthz, /readyz and /metrics. */
  readonly ops: string;
}

export interface ControlRole extends Role {
  /** Base URL of the verbs. */
  readonly verbs: string;
}

export interface BrokerRole extends Role {
  readonly port: number;
}

/** Who may ask the broker: name and password. */
export const brokerUser = 'platform:a-password-of-the-tests';

export interface RoleOptions {
  /** Added to the command line. */
  readonly flags?: readonly string[];
  /** Tells several of a kind apart. */
  readonly name?: string;
  /** Of mounts that are made while it runs, to a hollow agent; none where not given. */
  readonly propagation?: 'slave';
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Devices that only a hollow agent sees mounted, by the paths where it does. */
  readonly mounts?: Readonly<Record<string, string>>;
}

export interface SchedulerRoleOptions extends RoleOptions {
  /** Lines added to the configuration. */
  readonly settings?: string;
}

/**
 * Berth on a local cluster: the objects of the manifests applied, and every role a process of
 * its own with the rights of its service account, and no more.
 */
export class Installation {
  readonly cluster: Cluster;

  private constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  /** Applies namespace, custom resources and roles from the manifests; starts nothing. */
  static async on(cluster: Cluster): Promise<Installation> {
    const base = join(root, 'manifests/base');
    await cluster.kubectl(['apply', '-k', join(base, 'crds')]);
    await cluster.kubectl(['apply', '-f', join(base, 'namespace.yaml')]);
    await cluster.kubectl([
      ...['wait', '--for=condition=Established', '--timeout=30s', 'crd'],
      ...['storagepools', 'storagenodes', 'localvolumes', 'brokerinstances'].map(
        (one) => `${one}.berth.dev`,
      ),
    ]);
    await cluster.kubectl(['apply', '-k', join(base, 'rbac')]);
    return new Installation(cluster);
  }

  async startControl(options: RoleOptions = {}): Promise<ControlRole> {
    const { flags = [], name = 'control', env = {} } = options;
    const [port, opsPort] = [await freePort(), await freePort()];
    const ops = `http://127.0.0.1:${opsPort}`;
    const args = ['--port', String(port), '--ops-port', String(opsPort), ...flags];
    const spec = await this.#spec('control', 'berth-control', name, { args, ops });
    return {
      program: await this.cluster.startProgram({ ...spec, env }),
      ops,
      verbs: `http://127.0.0.1:${port}`,
    };
  }

  /**
   * The agent of a hollow node. It sees folders of its own at the paths where agents keep volumes
   * and links, as on a machine of its own.
   */
  async startHollowAgent(nodeName: string, options: RoleOptions = {}): Promise<Role> {
    const binds = nodeFolders.map((path) => [this.hollowFolder(nodeName, path), path]);
    binds.forEach(([, path = '']) => mkdirSync(path, { recursive: true }));
    const mounts = Object.entries(options.mounts ?? {}).map(([path, device]) => [device, path]);
    const script =
      'while [ "$1" != -- ]; do mkdir -p "$2"; if [ -b "$1" ]; then mount "$1" "$2"; ' +
      'else mount --rbind "$1" "$2"; fi; shift 2; done; shift; exec "$@"';
    const words = [...binds, ...mounts].flat();
    const { propagation = 'private' } = options;
    const unshare = ['unshare', '--mount', '--propagation', propagation];
    const prefix = [...unshare, 'sh', '-ec', script, 'sh', ...words, '--'];
    const { spec, ops } = await this.#agentSpec(nodeName, options);
    const { env = {} } = options;
    const program = await this.cluster.startProgram({ ...spec, env, prefix: () => prefix });
    return { program, ops };
  }

  /** The agent of a real node; the node must have been started with `nodeFolders` of its own. */
  async startAgent(node: RealNode, options: RoleOptions = {}): Promise<Role> {
    await node.run('mkdir', ['-p', '/var/lib/berth/pools']);
    const { flags = [] } = options;
    const own = [...flags, '--kubelet-dir', node.rootDir];
    const { spec, ops } = await this.#agentSpec(node.name, { ...options, flags: own });
    return { program: await node.startProgram(spec), ops };
  }

  /** What is at `path` for the agent of a hollow node. */
  hollowFolder(nodeName: string, path: string): string {
    const folder = join(this.cluster.dir, 'hollow', nodeName, path);
    mkdirSync(path === '/var/lib/berth' ? join(folder, 'pools') : folder, { recursive: true });
    return folder;
  }

  async #agentSpec(nodeName: string, { flags = [] }: RoleOptions) {
    const port = await freePort();
    const ops = `http://127.0.0.1:${port}`;
    const args = ['--node-name', nodeName, '--port', String(port), ...flags];
    const role = `agent-${nodeName}`;
    return { ops, spec: await this.#spec('node', 'berth-node', role, { args, ops }) };
  }

  /** The service broker as the component makes it; it is asked by plain HTTP. */
  async startBroker(catalog: object, options: RoleOptions = {}): Promise<BrokerRole> {
    const { flags = [], name = 'broker', env = {} } = options;
    const component = join(root, 'manifests/components/broker');
    for (const part of ['rbac.yaml', 'priority-class.yaml']) {
      await this.cluster.kubectl(['apply', '-f', join(component, part)]);
    }
    const folder = join(this.cluster.dir, name);
    mkdirSync(folder, { recursive: true });
    const [catalogFile, credentialsFile] = [join(folder, 'catalog'), join(folder, 'credentials')];
    writeFileSync(catalogFile, JSON.stringify(catalog));
    writeFileSync(credentialsFile, `${brokerUser}\n`);
    const [port, opsPort] = [await freePort(), await freePort()];
    const ops = `http://127.0.0.1:${opsPort}`;
    const args = ['--listen-address', '127.0.0.1', '--port', String(port)];
    args.push('--ops-port', String(opsPort), '--catalog-file', catalogFile);
    args.push('--credentials-file', credentialsFile, '--drain', '0s', ...flags);
    const spec = await this.#spec('broker', 'berth-broker', name, { args, ops });
    const program = await this.cluster.startProgram({ ...spec, env });
    return { program, ops, port };
  }

  /** The webhook, and the configurations of the manifests that point at it, by URL. */
  async startWebhook({ flags = [] }: RoleOptions = {}): Promise<Role> {
    const [port, opsPort] = [await freePort(), await freePort()];
    const ops = `http://127.0.0.1:${opsPort}`;
    await this.#applyWebhookConfigurations(`https://127.0.0.1:${port}`);
    const args = ['--listen-address', '127.0.0.1', '--port', String(port)];
    args.push('--ops-port', String(opsPort), '--cert-names', '127.0.0.1', ...flags);
    const spec = await this.#spec('webhook', 'berth-webhook', 'webhook', { args, ops });
    const program = await this.cluster.startProgram(spec);
    await this.#webhookTrusted();
    return { program, ops };
  }

  async #applyWebhookConfigurations(url: string): Promise<void> {
    const text = readFileSync(join(root, 'manifests/base/webhook/configurations.yaml'), 'utf8');
    const documents = loadAll(text) as WebhookConfiguration[];
    for (const { clientConfig } of documents.flatMap(({ webhooks }) => webhooks)) {
      clientConfig.url = url + (clientConfig.service?.path ?? '');
      delete clientConfig.service;
    }
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: documents });
    await this.cluster.kubectl(['apply', '-f', '-'], { input });
  }

  /** The webhook fills in its authority, and the API server takes a moment to read that. */
  async #webhookTrusted(): Promise<void> {
    await waitFor(
      'the webhook to be asked',
      async () => {
        const args = ['create', '--dry-run=server', '-o', 'json', '-f', '-'];
        const text = await this.cluster.kubectl(args, { input: JSON.stringify(badClass) }).then(
          () => '',
          (error: unknown) => String(error),
        );
        return text.includes('pool is');
      },
      { timeoutMs: 20_000, intervalMs: 200 },
    );
  }

  /** A kube-scheduler of the profile berth-scheduler, wired as `berth scheduler-config` says. */
  async startScheduler(
    control: ControlRole,
    { name = 'berth', flags = [], settings = '' }: SchedulerRoleOptions = {},
  ): Promise<Program> {
    const config = (await this.schedulerConfig(['--extender-url', control.verbs])) + settings;
    return this.cluster.startScheduler({ name, config, format: 'component', flags });
  }

  /** One of several of the same profile, with the rights of the pod that it shares with control. */
  async startElectedScheduler(control: ControlRole, name: string): Promise<Program> {
    const rights = join(root, 'manifests/overlays/own-scheduler/scheduler-rbac.yaml');
    await this.cluster.kubectl(['apply', '-f', rights]);
    const account = { namespace: 'berth-system', serviceAccount: 'berth-control' };
    const kubeconfig = await this.cluster.kubeconfigFor(account);
    const flags = ['--extender-url', control.verbs, '--leader-elect', '--kubeconfig', kubeconfig];
    const config = await this.schedulerConfig(flags);
    return this.cluster.startScheduler({ name, config, format: 'component', leaderElect: true });
  }

  /** What `berth scheduler-config` prints for the version of the cluster. */
  async schedulerConfig(flags: readonly string[]): Promise<string> {
    const { major, minor } = this.cluster.version;
    const args = ['scheduler-config', '--kubernetes', `${major}.${minor}`, ...flags];
    return (await run(process.execPath, [berthFile, ...args])).stdout;
  }

  async #spec(
    command: string,
    serviceAccount: string,
    role: string,
    { args, ops }: { args: readonly string[]; ops: string },
  ): Promise<ProgramSpec> {
    const kubeconfig = await this.cluster.kubeconfigFor({
      namespace: 'berth-system',
      serviceAccount,
    });
    return {
      role,
      file: process.execPath,
      args: [berthFile, command, '--kubeconfig', kubeconfig, ...args],
      ready: async () => (await fetch(`${ops}/readyz`)).ok,
      readyTimeoutMs: 20_000,
    };
  }

  /** What `GET /capacity` says. */
  async capacity(control: ControlRole): Promise<CapacityAnswer> {
    const answer = await fetch(`${control.ops}/capacity`);
    return (await answer.json()) as CapacityAnswer;
  }

  /** Waits until every node reports the pool with something free. */
  async poolsReported(pool: string, nodes: readonly string[]): Promise<void> {
    await waitFor(
      `pool ${pool} on ${nodes.join(', ')}`,
      async () => {
        const text = await this.cluster.kubectl(['get', 'nodes', '-o', 'json']);
        const { items } = JSON.parse(text) as { items: NodeObject[] };
        return nodes.every((name) => {
          const { annotations = {} } = items.find((n) => n.metadata.name === name)?.metadata ?? {};
          return annotations[`capacity.berth.dev/${pool}`]?.includes('"healthy":true');
        });
      },
      { timeoutMs: 20_000 },
    );
  }
}

const badClass = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'without-a-pool' },
  provisioner: 'local.berth.dev',
  volumeBindingMode: 'WaitForFirstConsumer',
};

interface WebhookConfiguration {
  webhooks: { clientConfig: { url?: string; service?: { path: string } } }[];
}

interface NodeObject {
  metadata: { name: string; annotations?: Record<string, string> };
}

export interface CapacityAnswer {
  nodes: {
    node: string;
    alive: boolean;
    pools: {
      pool: string;
      healthy: boolean;
      total: number;
      free: number;
      reserved: number;
      volumes: number;
    }[];
  }[];
  waiting: { pod: string; reason: string; nodes: Record<string, string> }[];
}
