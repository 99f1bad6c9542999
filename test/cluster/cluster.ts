import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { ApiClient } from './api-client.ts';
import type { Binaries } from './binaries.ts';
import type { ControlPlane } from './control-plane.ts';
import type { Guard } from './guard.ts';
import { HollowNodes, type HollowNodeOptions } from './hollow-nodes.ts';
import type { Authority, KeyPair } from './pki.ts';
import { type ClusterScope, Program, type ProgramSpec } from './program.ts';
import { type CommandOptions, runCommand } from './run-command.ts';
import { type SchedulerOptions, scheduler } from './scheduler.ts';
import type { RealNode } from './real-node.ts';
import { type KubeletOptions, startKubelets } from './start-kubelets.ts';
import { type ServiceAccountName, serviceAccountKubeconfig } from './service-account.ts';
import { tearDown } from './tear-down.ts';
import type { KubeVersion } from './version.ts';

/** What a cluster is put together from. */
export interface ClusterParts {
  name: string;
  scope: ClusterScope;
  close: AbortController;
  binaries: Binaries;
  plane: ControlPlane;
  authority: Authority;
  admin: KeyPair;
  kubeconfig: string;
  schedulerKubeconfig: string;
  api: ApiClient;
  guard: Guard;
  nodeMonitorGraceSeconds: number;
}

/** A running cluster. Everything started through it ends with `stop()`. */
export class Cluster {
  readonly name: string;
  readonly dir: string;
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** For requests that kubectl is too slow for. */
  readonly api: ApiClient;
  /** Signs certificates that kubelets and webhooks of this cluster may use. */
  readonly authority: Authority;
  readonly hollow: HollowNodes;
  readonly #parts: ClusterParts;
  readonly #programs = new Map<string, Program>();
  readonly #nodes: RealNode[] = [];
  #stopping: Promise<void> | undefined;

  constructor(parts: ClusterParts) {
    this.#parts = parts;
    this.name = parts.name;
    this.dir = parts.scope.dir;
    this.kubeconfig = parts.kubeconfig;
    this.api = parts.api;
    this.authority = parts.authority;
    this.hollow = new HollowNodes(parts.api, parts.nodeMonitorGraceSeconds);
    for (const program of Object.values(parts.plane) as Program[]) this.#add(program);
  }

  get server(): string {
    return this.api.server;
  }

  get version(): KubeVersion {
    return this.#parts.binaries.version;
  }

  get binaries(): Binaries {
    return this.#parts.binaries;
  }

  /** For parts of the harness that start programs of their own. */
  get scope(): ClusterScope {
    return this.#parts.scope;
  }

  /** The authority's certificate in base64, as kubeconfigs and webhook configurations want it. */
  get caData(): string {
    return readFileSync(this.authority.cert).toString('base64');
  }

  /** One JSON object per line; only with the option `audit`. */
  get auditLog(): string {
    return join(this.dir, 'audit.log');
  }

  kubectl(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    const own = [`--kubeconfig=${this.kubeconfig}`, `--cache-dir=${join(this.dir, 'kubectl')}`];
    return runCommand(this.binaries.kubectl, [...own, ...args], options);
  }

  /** A kubeconfig with the rights of a service account, and no more. */
  kubeconfigFor(name: ServiceAccountName): Promise<string> {
    return serviceAccountKubeconfig(this.api, { dir: this.dir, ca: this.authority.cert }, name);
  }

  async startScheduler(options: SchedulerOptions): Promise<Program> {
    const place = {
      scope: this.scope,
      file: this.binaries.scheduler,
      version: this.version,
      kubeconfig: this.#parts.schedulerKubeconfig,
    };
    const program = await scheduler(place, options);
    this.#add(program);
    await program.start();
    return program;
  }

  /** Starts any program as a part of the cluster: it has a role and a log, and ends with the cluster. */
  async startProgram(spec: ProgramSpec): Promise<Program> {
    const program = new Program(this.scope, spec);
    this.#add(program);
    await program.start();
    return program;
  }

  addHollowNodes(
    wanted: number | readonly string[],
    options?: HollowNodeOptions,
  ): Promise<string[]> {
    return this.hollow.add(wanted, options);
  }

  /** Nodes with real kubelets and containers, by name; all Ready on return. Needs root. */
  async startKubelets(names: readonly string[], options: KubeletOptions = {}): Promise<RealNode[]> {
    const nodes = await startKubelets(this, names, { ...options, first: this.#nodes.length });
    this.#nodes.push(...nodes);
    for (const node of nodes)
      [node.containerd, node.kubelet].forEach((program) => this.#add(program));
    return nodes;
  }

  /** The program in a role: etcd, apiserver, controller-manager, scheduler-<name>, kubelet-<node>, ... */
  program(role: string): Program {
    const found = this.#programs.get(role);
    if (!found) {
      throw new RangeError(`no "${role}" here, only ${[...this.#programs.keys()].join(', ')}`);
    }
    return found;
  }

  /** Ends a program the hard way, or with another signal, and waits until it has ended. */
  kill(role: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    return this.program(role).kill(signal);
  }

  /** Freezes a program: its connections stay open and nobody answers. */
  pause(role: string): void {
    this.program(role).signal('SIGSTOP');
  }

  resume(role: string): void {
    this.program(role).signal('SIGCONT');
  }

  /** Starts a program again, with its port and data, after ending it if it still runs. Returns when it is ready. */
  restart(role: string): Promise<void> {
    return this.program(role).restart();
  }

  /** Ends everything and removes all traces. Repeatable. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Lets the cluster live on after this process; `make cluster-down` or `tearDown` ends it then. */
  async detach(): Promise<void> {
    this.hollow.stopHeartbeats();
    this.api.close();
    await this.#parts.guard.release();
  }

  async #stop(): Promise<void> {
    this.#parts.close.abort(new Error(`cluster ${this.name} is being stopped`));
    this.hollow.stopHeartbeats();
    // What others started here may have something to finish; the rest is thrown away.
    const thrownAway = new Set<Program>(Object.values(this.#parts.plane) as Program[]);
    for (const { kubelet, containerd } of this.#nodes) thrownAway.add(kubelet).add(containerd);
    const guests = [...this.#programs.values()].filter((program) => !thrownAway.has(program));
    await Promise.all(guests.map((program) => program.stop(3_000)));
    this.api.close();
    await tearDown(this.dir);
    await this.#parts.guard.release();
  }

  #add(program: Program): void {
    const { role } = program.spec;
    if (this.#programs.get(role)?.running) {
      throw new RangeError(`there is a running "${role}" in cluster ${this.name} already`);
    }
    this.#programs.set(role, program);
  }
}
