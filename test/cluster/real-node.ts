import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { answersOk } from './answers-ok.ts';
import { ensureCgroup, killInCgroups } from './cgroups.ts';
import type { Cluster } from './cluster.ts';
import { containerd, socketOf } from './containerd.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { type KubeletFacts, kubeletConfig, kubeletFlags, kubeletRoot } from './kubelet.ts';
import { addNodeAddress, nodeAddress, podNetwork } from './node-network.ts';
import { NodeNamespace } from './node-namespace.ts';
import { issueCertificate } from './pki.ts';
import { freePort } from './ports.ts';
import { Program, type ProgramSpec } from './program.ts';
import { cgroupOf } from './slots.ts';
import { waitFor } from './wait.ts';

/** Where a node stands among the nodes of all clusters on this machine. */
export interface NodePlace {
  name: string;
  slot: number;
  index: number;
  image: string;
  labels: Readonly<Record<string, string>>;
  folders: readonly string[];
}

interface NodeParts {
  namespace: NodeNamespace;
  containerd: Program;
  kubelet: Program;
}

/** A real kubelet with a containerd of its own. */
export class RealNode {
  readonly name: string;
  /** Everything of this node. */
  readonly dir: string;
  /** For pools and other disks of this node; what is mounted below it on the machine is seen inside the node too. */
  readonly directory: string;
  readonly #place: NodePlace;
  readonly #cluster: Cluster;
  readonly #parts: NodeParts;

  private constructor(cluster: Cluster, place: NodePlace, parts: NodeParts) {
    this.name = place.name;
    this.dir = nodeDir(cluster, place);
    this.directory = join(this.dir, 'disks');
    mkdirSync(this.directory, { recursive: true });
    this.#cluster = cluster;
    this.#place = place;
    this.#parts = parts;
  }

  /** Makes all files of a node; `start()` brings it to life. */
  static async create(cluster: Cluster, place: NodePlace): Promise<RealNode> {
    return new RealNode(cluster, place, await nodeParts(cluster, place));
  }

  /** The kubelet's `--root-dir`, with the pods' volumes below it. */
  get rootDir(): string {
    return kubeletRoot(this.dir);
  }

  get kubelet(): Program {
    return this.#parts.kubelet;
  }

  get containerd(): Program {
    return this.#parts.containerd;
  }

  /** Starts whatever of the node is not running, and returns when the node is Ready. Repeatable. */
  async start(): Promise<void> {
    const { namespace, containerd: runtime, kubelet } = this.#parts;
    ensureCgroup(this.#cgroup());
    await addNodeAddress(nodeAddress(this.#place.slot, this.#place.index));
    if (!namespace.running) await namespace.start();
    if (!runtime.running) {
      await runtime.start();
      await this.importImage(this.#place.image);
    }
    if (!kubelet.running) await kubelet.start();
    await this.#ready();
  }

  /** Stops the kubelet. Its pods run on, as they do when a kubelet is upgraded. */
  stop(): Promise<void> {
    return this.#parts.kubelet.stop();
  }

  /** Ends all that runs on the node and all mounts made inside it, without a goodbye; what is on its disks stays. */
  async powerOff(): Promise<void> {
    const { namespace, containerd: runtime, kubelet } = this.#parts;
    await kubelet.kill();
    await killInCgroups(this.#cgroup());
    await runtime.kill();
    await namespace.stop();
  }

  /** Loads an image written by `buildImage` or `docker save`. */
  async importImage(file: string): Promise<void> {
    await this.ctr(['images', 'import', '--no-unpack', file]);
  }

  /** Talks to the node's containerd about what belongs to Kubernetes. */
  ctr(args: readonly string[]): Promise<string> {
    return this.run('ctr', ['--address', socketOf(this.dir), '--namespace', 'k8s.io', ...args]);
  }

  /** Runs a program to its end that sees the mounts of the node. */
  run(file: string, args: readonly string[]): Promise<string> {
    return this.#parts.namespace.run(file, args);
  }

  /** Starts a program that sees the mounts of the node and ends with the cluster. */
  startProgram(spec: ProgramSpec): Promise<Program> {
    return this.#cluster.startProgram(this.#parts.namespace.inside(spec));
  }

  #cgroup(): string {
    return cgroupOf(this.#place.slot, this.name);
  }

  async #ready(): Promise<void> {
    const path = `/api/v1/nodes/${this.name}`;
    const check = async (): Promise<boolean> =>
      isReady(await this.#cluster.api.request('GET', path));
    await waitFor(`node ${this.name} to be Ready`, check, {
      timeoutMs: 90_000,
      intervalMs: 200,
      abort: () => this.kubelet.failure() ?? this.containerd.failure(),
      explain: () => this.kubelet.tail(),
    });
  }
}

function nodeDir(cluster: Cluster, place: NodePlace): string {
  return join(cluster.dir, 'nodes', place.name);
}

async function nodeParts(cluster: Cluster, place: NodePlace): Promise<NodeParts> {
  const { scope } = cluster;
  const { name, folders } = place;
  const dir = nodeDir(cluster, place);
  const namespace = new NodeNamespace(scope, { name, dir, folders });
  const network = podNetwork(place.slot, place.index, join(dir, 'pod-addresses'));
  const runtime = containerd({ node: name, dir, network }, async () => {
    await namespace.run('ctr', ['--address', socketOf(dir), 'version']);
    return true;
  });
  const facts = await kubeletFacts(cluster, place, dir);
  const config = join(dir, 'kubelet.json');
  writeFileSync(config, JSON.stringify(kubeletConfig(facts), null, 2));
  const kubelet = {
    role: `kubelet-${name}`,
    file: cluster.binaries.kubelet,
    args: kubeletFlags(facts, config),
    ready: () => answersOk(`http://127.0.0.1:${facts.ports.health}/healthz`),
  };
  return {
    namespace,
    containerd: new Program(scope, namespace.inside(runtime)),
    kubelet: new Program(scope, namespace.inside(kubelet)),
  };
}

async function kubeletFacts(
  cluster: Cluster,
  place: NodePlace,
  dir: string,
): Promise<KubeletFacts> {
  const { authority, server, version } = cluster;
  const { name, slot, index, labels } = place;
  const address = nodeAddress(slot, index);
  const commonName = `system:node:${name}`;
  const subject = { name: `node-${name}`, commonName, organization: 'system:nodes' };
  const pair = await issueCertificate(authority, { ...subject, hosts: [name, address] });
  return {
    ...{ version, node: name, dir, address, labels },
    ports: { api: await freePort(), health: await freePort() },
    kubeconfig: writeKubeconfig(join(dir, 'kubelet.conf'), server, authority.cert, pair),
    authorityCert: authority.cert,
    serverPair: pair,
    runtimeEndpoint: `unix://${socketOf(dir)}`,
    cgroup: cgroupOf(slot, name),
  };
}

interface NodeStatus {
  status: { conditions?: { type: string; status: string }[] };
}

function isReady(node: unknown): boolean {
  const { conditions = [] } = (node as NodeStatus).status;
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}
