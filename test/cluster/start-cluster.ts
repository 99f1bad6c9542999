import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { ApiClient } from './api-client.ts';
import { type Binaries, findBinaries } from './binaries.ts';
import { Cluster, type ClusterParts } from './cluster.ts';
import { controlPlane, startControlPlane } from './control-plane.ts';
import type { ControlPlaneFacts } from './flags.ts';
import { Guard, onInterrupt } from './guard.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { clusterDir } from './paths.ts';
import { createAuthority, createTokenKey, issueCertificate } from './pki.ts';
import { freePort } from './ports.ts';
import { tearDown } from './tear-down.ts';

export interface ClusterOptions {
  /** Names the folder below the state directory; a random one unless given. */
  name?: string;
  /** Log every request in the API server's audit log. */
  audit?: boolean;
  /** Requests per second of each controller; Kubernetes' own default unless given. */
  controllerManagerQps?: number;
  /**
   * How long a silent node counts as alive. Hollow nodes beat three times in it, so thousands of them need a long
   * one to cost nothing. Kubernetes' own 40 s unless given.
   */
  nodeMonitorGraceSeconds?: number;
  apiserverFlags?: readonly string[];
  controllerManagerFlags?: readonly string[];
  /** Instead of those that `findBinaries` finds. */
  binaries?: Binaries;
}

/**
 * Starts etcd, kube-apiserver and kube-controller-manager in a folder, on ports and with certificates of their own.
 * Schedulers and nodes are added to the result. A failed start leaves nothing behind.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const name = options.name ?? `c-${randomBytes(4).toString('hex')}`;
  const binaries = options.binaries ?? (await findBinaries());
  const dir = clusterDir(name);
  makeFolder(dir);
  const close = new AbortController();
  const guard = new Guard(name);
  const abandon = async (): Promise<void> => {
    close.abort(new Error(`the start of cluster ${name} was given up`));
    await tearDown(dir);
    await guard.release();
  };
  const forget = onInterrupt(abandon);
  try {
    const parts = await assemble({ name, dir, binaries, close, guard, options });
    const cluster = new Cluster(parts);
    const forgetCluster = onInterrupt(() => cluster.stop());
    close.signal.addEventListener('abort', forgetCluster);
    return cluster;
  } catch (error) {
    await abandon();
    throw error;
  } finally {
    forget();
  }
}

function makeFolder(dir: string): void {
  mkdirSync(dirname(dir), { recursive: true });
  try {
    mkdirSync(dir, { mode: 0o755 });
  } catch (cause) {
    throw new Error(`${dir} exists: a cluster of this name is up, or was not torn down`, { cause });
  }
}

interface Beginning {
  name: string;
  dir: string;
  binaries: Binaries;
  close: AbortController;
  guard: Guard;
  options: ClusterOptions;
}

async function assemble(beginning: Beginning): Promise<ClusterParts> {
  const { dir, binaries, close, options } = beginning;
  const scope = { dir, closing: close.signal };
  const identities = await createIdentities(join(dir, 'pki'));
  const ports = await controlPlanePorts();
  const kubeconfigs = writeKubeconfigs(dir, `https://127.0.0.1:${ports.apiserver}`, identities);
  const facts: ControlPlaneFacts = {
    ...{ dir, ports, version: binaries.version },
    ...identities,
    controllerManagerKubeconfig: kubeconfigs.controllerManager,
    ...optionFacts(options),
  };
  const plane = controlPlane(scope, binaries, facts);
  const { authority, admin } = identities;
  const api = new ApiClient(`https://127.0.0.1:${ports.apiserver}`, authority.cert, admin);
  await startControlPlane(plane, api, facts);
  return {
    ...{ ...beginning, scope, plane, authority, admin, api },
    kubeconfig: kubeconfigs.admin,
    schedulerKubeconfig: kubeconfigs.scheduler,
    nodeMonitorGraceSeconds: facts.nodeMonitorGraceSeconds,
  };
}

type OptionFacts = Pick<
  ControlPlaneFacts,
  | 'audit'
  | 'nodeMonitorGraceSeconds'
  | 'apiserverFlags'
  | 'controllerManagerFlags'
  | 'controllerManagerQps'
>;

function optionFacts(options: ClusterOptions): OptionFacts {
  const { controllerManagerQps } = options;
  return {
    audit: options.audit ?? false,
    nodeMonitorGraceSeconds: options.nodeMonitorGraceSeconds ?? 40,
    apiserverFlags: options.apiserverFlags ?? [],
    controllerManagerFlags: options.controllerManagerFlags ?? [],
    ...(controllerManagerQps === undefined ? {} : { controllerManagerQps }),
  };
}

type Identities = Awaited<ReturnType<typeof createIdentities>>;

async function createIdentities(dir: string) {
  const authority = await createAuthority(dir);
  const issue = (name: string, commonName: string, organization?: string, hosts?: string[]) =>
    issueCertificate(authority, {
      ...{ name, commonName },
      ...(organization === undefined ? {} : { organization }),
      ...(hosts === undefined ? {} : { hosts }),
    });
  const names = ['127.0.0.1', '10.96.0.1', 'localhost', 'kubernetes.default.svc'];
  const [serverPair, kubeletClient, admin, controllerManager, scheduler, tokenKey] =
    await Promise.all([
      issue('apiserver', 'kube-apiserver', undefined, names),
      issue('kubelet-client', 'kube-apiserver-kubelet-client', 'system:masters'),
      issue('admin', 'admin', 'system:masters'),
      issue('controller-manager', 'system:kube-controller-manager'),
      issue('scheduler', 'system:kube-scheduler'),
      createTokenKey(dir),
    ]);
  return { authority, serverPair, kubeletClient, admin, controllerManager, scheduler, tokenKey };
}

async function controlPlanePorts(): Promise<ControlPlaneFacts['ports']> {
  const [etcd, etcdPeer, apiserver, controllerManager] = await Promise.all([
    freePort(),
    freePort(),
    freePort(),
    freePort(),
  ]);
  return { etcd, etcdPeer, apiserver, controllerManager };
}

interface Kubeconfigs {
  admin: string;
  controllerManager: string;
  scheduler: string;
}

function writeKubeconfigs(dir: string, server: string, identities: Identities): Kubeconfigs {
  const write = (name: keyof Kubeconfigs): string =>
    writeKubeconfig(join(dir, `${name}.conf`), server, identities.authority.cert, identities[name]);
  return {
    admin: write('admin'),
    controllerManager: write('controllerManager'),
    scheduler: write('scheduler'),
  };
}
