import type { InstanceWorkPorts } from '../../../src/usecases/instance-scene.ts';
import { catalogOf } from '../../support/broker/served.ts';
import { World } from '../world.ts';
import { BrokerChecks } from './checks.ts';
import { BrokerCluster } from './cluster.ts';
import { BrokerPlatform } from './platform.ts';
import { Replica, type Ground } from './replica.ts';

const plan = (id: string, more: string): string =>
  `  - {id: ${id}, name: ${id}, description: d, storageClass: fast, patience: 1m, ` +
  `size: {least: 1Gi, most: 4Gi}, ${more}}`;

const catalog = catalogOf(`
services:
- id: disks
  name: disks
  description: d
  plans:
${plan('nodes', 'count: {least: 1, most: 3}, spread: nodes, placeholder: keep, inUse: wait')}
${plan('zones', 'count: {least: 1, most: 2}, spread: zones')}
${plan('kept', 'count: {least: 1, most: 2}, spread: none, retain: 30s')}
`);

const troublesMs = 10 * 60_000;
const settleMs = 20 * 60_000;
const shownTrace = 300;

/**
 * Several platforms' worth of instances on two replicas, with calls that get lost, processes that
 * die or stand still, nodes that go and come back, room that fills and claims that vanish; then
 * everything settles and is given up.
 *
 * @throws with what was wrong and the last part of what happened before
 */
export async function runBroker(seed: number, mutate: Ground['mutate'] = same): Promise<void> {
  const history = new History(seed, mutate);
  try {
    await history.happen();
  } catch (error) {
    const { message } = error as Error;
    const told = history.world.trace.slice(-shownTrace).join('\n');
    throw new Error(`seed ${seed}: ${message}\n${told}\nseed ${seed}: ${message}`, {
      cause: error,
    });
  }
}

const same = (ports: InstanceWorkPorts): InstanceWorkPorts => ports;

class History {
  readonly world: World;
  readonly #ground: Ground;
  readonly #replicas: Replica[] = [];
  #leader: { readonly replica: Replica; readonly term: AbortController } | undefined;
  #electedAt = 0;
  #serial = 0;
  #isTroubled = true;

  constructor(seed: number, mutate: Ground['mutate']) {
    this.world = new World(seed);
    const { world } = this;
    const cluster = new BrokerCluster(world);
    const checks = new BrokerChecks(cluster);
    const rates = (most: number): number => world.random.pick([0, most / 4, most]) ?? 0;
    const faults = { call: rates(0.1), death: rates(0.01) };
    const nextOperation = (): string => `operation-${(this.#serial += 1)}`;
    this.#ground = { world, cluster, checks, faults, catalog, mutate, nextOperation };
    cluster.onChange = (id) => {
      for (const replica of this.#replicas) {
        world.soon(replica.process, () => replica.hear(id));
      }
    };
  }

  async happen(): Promise<void> {
    const { world } = this;
    const { checks, cluster, faults } = this.#ground;
    const platform = new BrokerPlatform(this.#ground, () => world.random.pick(this.#replicas));
    ['i', 'j', 'k', 'l'].forEach((name) => platform.begin(name));
    this.#keepReplicas();
    this.#trouble();
    await world.run(world.now + troublesMs);
    this.#isTroubled = false;
    Object.assign(faults, { call: 0, death: 0 });
    platform.isClosing = true;
    await world.run(world.now + settleMs, () => platform.living === 0);
    if (platform.living > 0) {
      const open = [...cluster.records.values()].map(({ instance }) => {
        const { id, operation, progress } = instance;
        return `${id}: ${operation.kind} ${JSON.stringify(progress)}`;
      });
      throw new Error(`NOT SETTLED: ${platform.living} wait, ${open.join('; ')}`);
    }
    await world.run(world.now + 5 * 60_000);
    checks.nothingLeft();
  }

  /** Two replicas, one of which leads; who follows a dead or silent one waits for its term to end. */
  #keepReplicas(): void {
    const { world } = this;
    const alive = this.#replicas.filter(({ process }) => process.alive);
    this.#replicas.splice(0, this.#replicas.length, ...alive);
    while (this.#replicas.length < 2) {
      this.#replicas.push(new Replica(this.#ground, `broker-${(this.#serial += 1)}`));
    }
    const isLed =
      this.#leader?.replica.process.alive === true &&
      this.#leader.replica.process.pausedUntil <= world.now;
    if (isLed) {
      this.#electedAt = world.now;
    } else if (world.now - this.#electedAt >= 15_000 || this.#leader === undefined) {
      this.#elect();
    }
    world.after(1_000, undefined, () => this.#keepReplicas());
  }

  #elect(): void {
    const { world } = this;
    const before = this.#leader;
    if (before) {
      // It finds out once it goes on, and not before its next look at the Lease.
      world.after(world.random.between(0, 2_000), before.replica.process, () =>
        before.term.abort(),
      );
    }
    const replica = this.#replicas.find(({ process }) => process.pausedUntil <= world.now);
    if (replica) {
      const term = new AbortController();
      this.#leader = { replica, term };
      world.say(replica.process.name, 'leads');
      world.soon(replica.process, () => replica.lead(term.signal));
    }
  }

  #trouble(): void {
    const { random } = this.world;
    this.world.after(random.between(500, 20_000), undefined, () => {
      if (this.#isTroubled) {
        const [what, act] = random.pick(Object.entries(this.#troubles)) ?? ['nothing', () => {}];
        this.world.say('trouble', what);
        act();
        this.#trouble();
      }
    });
  }

  readonly #troubles: Readonly<Record<string, () => void>> = {
    'a process ends': () => {
      const replica = this.world.random.pick(this.#replicas);
      if (replica) {
        this.world.kill(replica.process);
      }
    },
    'the leader stands still': () => {
      if (this.#leader) {
        this.world.pause(this.#leader.replica.process, this.world.random.between(1_000, 40_000));
      }
    },
    'a node is lost for a while': () => this.#loseNode(),
    'a claim loses its volume': () => {
      const { cluster, checks } = this.#ground;
      checks.harm(this.world.random.pick([...cluster.claims.keys()]) ?? '');
    },
    'a placeholder is deleted': () => {
      const { cluster } = this.#ground;
      const pod = this.world.random.pick([...cluster.pods.values()]);
      cluster.removePlaceholder(pod?.name ?? '', pod?.uid ?? '');
    },
    'somebody else writes a record': () => {
      const { cluster } = this.#ground;
      const stored = this.world.random.pick([...cluster.records.values()]);
      this.world.soon(undefined, async () => {
        const now = stored && (await cluster.store.get(stored.instance.id));
        if (now) {
          await cluster.store.tell(now, now.instance.progress);
          await cluster.recorded(now.instance.id);
        }
      });
    },
    'a node fills for a while': () => {
      const { cluster } = this.#ground;
      const node = this.world.random.pick([...cluster.nodes.keys()]) ?? '';
      const name = `other-${(this.#serial += 1)}`;
      const size = cluster.free(node);
      cluster.volumes.set(name, { node, claim: undefined, size, deleting: false });
      this.world.after(this.world.random.between(5_000, 60_000), undefined, () => {
        cluster.volumes.delete(name);
        this.#changedAll();
      });
    },
  };

  #loseNode(): void {
    const { cluster } = this.#ground;
    const node = this.world.random.pick([...cluster.nodes.values()]);
    if (node?.lost === false) {
      node.lost = true;
      this.#changedAll();
      this.world.after(this.world.random.between(5_000, 90_000), undefined, () => {
        node.lost = false;
        this.#changedAll();
      });
    }
  }

  /** Nodes and room are nobody's own: the scheduler and the others look at everything again. */
  #changedAll(): void {
    const { cluster } = this.#ground;
    [...cluster.records.keys()].forEach((id) => cluster.changed(id));
    cluster.changed('');
  }
}
