import type { ControlParts } from '../../src/commands/control-parts.ts';
import type { NodeParts } from '../../src/commands/node-parts.ts';
import type { Bytes } from '../../src/model/bytes.ts';
import type { Log } from '../../src/usecases/ports.ts';
import { Actor } from './actor.ts';
import { startAgent } from './agent.ts';
import { ApiServer } from './api-server.ts';
import { Checks } from './checks.ts';
import { wakeWatches, type Access, type Faults } from './client.ts';
import { startControl, type Control } from './control.ts';
import { Disk } from './disk.ts';
import { kubeletSteps } from './kubelet.ts';
import { controllerSteps } from './kubernetes.ts';
import { startScheduler } from './scheduler.ts';
import { nodeNames } from './user.ts';
import { runVolumeBinding } from './volume-binding.ts';
import { World, type Process } from './world.ts';

export interface SimulatedFaults extends Faults {
  /** An agent's step on its disk fails. */
  disk: number;
}

/** A mistake put in on purpose, to see that it is found. */
export interface Mutation {
  readonly control?: (parts: ControlParts) => ControlParts;
  readonly agent?: (parts: NodeParts) => NodeParts;
  /** What an agent takes for the size of a pool. */
  readonly poolLimit?: (limit: Bytes) => Bytes;
  /** What really arrives of a write. */
  readonly write?: (body: object) => object;
}

export interface Options {
  readonly seed: number;
  readonly faults: SimulatedFaults;
  readonly schedulers: number;
}

const replicas = ['control-0', 'control-1'];
const longestRestartMs = 4_000;

/** A whole cluster in one process: everything of Berth is real, everything else is simulated. */
export class Simulation {
  readonly world: World;
  readonly server: ApiServer;
  readonly faults: SimulatedFaults;
  readonly checks: Checks;
  readonly mutation: Mutation;
  readonly controls = new Map<string, Control>();
  readonly #processes = new Map<string, Process>();
  readonly #disks = new Map<string, Disk>();
  readonly #starting = new Set<string>();

  constructor({ seed, faults, schedulers }: Options, mutation: Mutation = {}) {
    this.mutation = mutation;
    const world = new World(seed);
    this.world = world;
    this.faults = { ...faults };
    this.server = new ApiServer(() => world.now);
    this.checks = new Checks(this);
    this.#declare();
    const actors = [
      new Actor(world, 'kube-controller-manager', () => controllerSteps(this.server)),
      new Actor(world, 'kubelet', () => kubeletSteps(this)),
    ];
    this.server.onChange = (resource, change) => {
      this.checks.changed(resource, change);
      wakeWatches(this.server.changes.get(resource) ?? []);
      actors.forEach((actor) => actor.wake());
    };
    world.afterEach = () => {
      this.checks.run();
      this.#restartDead();
    };
    for (const name of [
      ...replicas,
      ...nodeNames.map((node) => `agent-${node}`),
      ...replicas.slice(0, schedulers).map((_, i) => `scheduler-${i}`),
    ]) {
      this.#startSoon(name);
    }
    runVolumeBinding(this);
  }

  /** How much later than usual a process hears of a resource. */
  lateMs: Access['lateMs'] = () => 0;

  accessOf(process: Process): Access {
    const { world, server, faults } = this;
    const lateMs: Access['lateMs'] = (name, resource) => this.lateMs(name, resource);
    const { write = (body: object) => body } = this.mutation;
    return { world, server, process, faults, lateMs, write };
  }

  readonly logOf = (process: Process): Log => {
    const write = (event: string, fields?: object): void =>
      this.world.say(process.name, `${event} ${JSON.stringify(fields ?? {})}`);
    return { info: write, warn: write, error: write };
  };

  disk(node: string, pool: string): Disk {
    const key = `${node}/${pool}`;
    const disk = this.#disks.get(key) ?? new Disk(node, pool);
    disk.onDestroy = (image) => this.checks.destroyed(disk, image);
    this.#disks.set(key, disk);
    return disk;
  }

  disks(): readonly Disk[] {
    return [...this.#disks.values()];
  }

  disksOf(node: string): readonly Disk[] {
    return this.disks().filter((disk) => disk.node === node);
  }

  kill(name: string): void {
    const process = this.#processes.get(name);
    if (process) {
      this.world.kill(process);
    }
  }

  pause(name: string, ms: number): void {
    const process = this.#processes.get(name);
    if (process) {
      this.world.pause(process, ms);
    }
  }

  /** From now on nothing goes wrong any more. */
  endFaults(): void {
    Object.assign(this.faults, { call: 0, death: 0, watch: 0, disk: 0 });
  }

  #restartDead(): void {
    for (const [name, { alive }] of this.#processes) {
      if (!alive && !this.#starting.has(name)) {
        this.#startSoon(name);
      }
    }
  }

  #startSoon(name: string): void {
    this.#starting.add(name);
    this.world.after(this.world.random.between(0, longestRestartMs), undefined, async () => {
      this.#processes.set(name, await this.#start(name));
      this.#starting.delete(name);
      this.world.say(name, 'started');
    });
  }

  async #start(name: string): Promise<Process> {
    const [role, which = ''] = name.split('-');
    if (role === 'agent') {
      return startAgent(this, which);
    }
    if (role === 'control') {
      const control = startControl(this, name);
      this.controls.set(name, control);
      return control.process;
    }
    return startScheduler(this, name, () => this.controls.get(`control-${which}`));
  }

  /** What is there before anything happens. */
  #declare(): void {
    const { server } = this;
    for (const name of nodeNames) {
      const labels = { 'kubernetes.io/hostname': name, disk: 'ssd' };
      const status = { conditions: [{ type: 'Ready', status: 'True' }] };
      server.create('/api/v1/nodes', { metadata: { name, labels }, status });
    }
    const pools = '/apis/berth.dev/v1alpha1/storagepools';
    for (const [name, nodeSelector] of [
      ['fast', { disk: 'ssd' }],
      ['slow', {}],
    ] as const) {
      const loop = { directory: `/pools/${name}`, size: '64Mi' };
      server.create(pools, { metadata: { name }, spec: { nodeSelector, backend: 'loop', loop } });
    }
    for (const [name, pool, reclaimPolicy] of [
      ['fast', 'fast', 'Delete'],
      ['slow', 'slow', 'Delete'],
      ['keep', 'fast', 'Retain'],
    ] as const) {
      server.create('/apis/storage.k8s.io/v1/storageclasses', {
        metadata: { name },
        provisioner: 'local.berth.dev',
        volumeBindingMode: 'WaitForFirstConsumer',
        reclaimPolicy,
        parameters: { pool },
      });
    }
  }
}
