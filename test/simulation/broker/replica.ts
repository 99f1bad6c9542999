import { checkJson } from '../../../src/platform/json-schema.ts';
import type { Catalog } from '../../../src/broker/plan.ts';
import type { Parts } from '../../../src/broker/parts.ts';
import { isRunning } from '../../../src/broker/work.ts';
import type {
  InstanceStore,
  PartStore,
  StoredInstance,
} from '../../../src/usecases/broker-ports.ts';
import { Controller } from '../../../src/usecases/controller.ts';
import type { InstanceWorkPorts } from '../../../src/usecases/instance-scene.ts';
import { serveInstances, type InstanceService } from '../../../src/usecases/serve-instances.ts';
import { workOnInstance } from '../../../src/usecases/work-on-instance.ts';
import type { Process, World } from '../world.ts';
import type { BrokerChecks } from './checks.ts';
import type { BrokerCluster } from './cluster.ts';

export interface Faults {
  /** How often a call does not arrive, or its answer does not. */
  call: number;
  /** How often a process ends at a call. */
  death: number;
}

/** What all replicas have in common. */
export interface Ground {
  readonly world: World;
  readonly cluster: BrokerCluster;
  readonly checks: BrokerChecks;
  readonly faults: Faults;
  readonly catalog: Catalog;
  /** A mistake that is planted into the working half. */
  readonly mutate: (ports: InstanceWorkPorts) => InstanceWorkPorts;
  readonly nextOperation: () => string;
}

/** One process of `berth broker`: both halves, its memory, and every call a thing that may fail. */
export class Replica {
  readonly process: Process;
  readonly service: InstanceService;
  readonly #ground: Ground;
  readonly #known = new Map<string, { readonly stored: StoredInstance; readonly parts: Parts }>();
  #controller: Controller | undefined;

  constructor(ground: Ground, name: string) {
    this.#ground = ground;
    const { world, catalog, nextOperation } = ground;
    this.process = world.process(name);
    const namespaces = { usual: 'default', allowed: [], closed: [] };
    this.service = serveInstances({
      store: this.#store(),
      surroundings: () => ({
        ...{ catalog, namespaces, checkParameters: checkJson },
        at: new Date(world.now).toISOString(),
        operationId: nextOperation(),
      }),
    });
    for (const id of ground.cluster.records.keys()) {
      this.hear(id);
    }
  }

  /** News of a record or its parts; what is remembered is as it is when the news arrives. */
  hear(id: string): void {
    const { cluster } = this.#ground;
    const stored = cluster.records.get(id);
    if (stored) {
      this.#known.set(id, { stored, parts: cluster.partsOf(stored.uid) });
    } else {
      this.#known.delete(id);
    }
    this.#controller?.enqueue(id);
  }

  lead(signal: AbortSignal): void {
    const { world } = this.#ground;
    const controller = new Controller({
      reconcile: workOnInstance(this.#ground.mutate(this.#ports())),
      ...{ workers: 8, firstPauseMs: 500, longestPauseMs: 30_000, onError: () => {} },
      sleep: (ms, ended) =>
        new Promise((resolve) => {
          world.after(ms, this.process, () => resolve());
          ended.addEventListener('abort', () => resolve(), { once: true });
        }),
    });
    this.#controller = controller;
    [...this.#known.keys()].forEach((id) => controller.enqueue(id));
    void controller.run(signal);
  }

  /** A call that travels, arrives or not, and is answered or not; what has arrived counts. */
  #call<T>(what: string, effect: () => T | Promise<T>): Promise<T> {
    const { world, faults } = this.#ground;
    const { random } = world;
    const isKilled = random.chance(faults.death);
    const trouble = random.chance(faults.call) ? random.pick(['unsent', 'unanswered']) : undefined;
    if (isKilled && random.chance(0.5)) {
      world.kill(this.process);
      return new Promise(() => {});
    }
    return new Promise((resolve, reject) => {
      const fail = (): void =>
        world.soon(this.process, () => reject(new Error(`${what}: ${trouble}`)));
      if (trouble === 'unsent') {
        fail();
        return;
      }
      world.soon(undefined, async () => {
        const value = await effect();
        world.say(this.process.name, what);
        if (isKilled) {
          world.kill(this.process);
        } else if (trouble === undefined) {
          world.soon(this.process, () => resolve(value));
        } else {
          fail();
        }
      });
    });
  }

  #store(): InstanceStore {
    const { cluster, checks } = this.#ground;
    const { store } = cluster;
    const write = <T>(what: string, id: string, effect: () => Promise<T>): Promise<T> =>
      this.#call(`${what} ${id}`, async () => {
        const value = await effect();
        await cluster.recorded(id);
        return value;
      });
    return {
      get: (id) => this.#call(`read ${id}`, () => store.get(id)),
      list: () => this.#call('list', () => store.list()),
      create: (instance) => write('create', instance.id, () => store.create(instance)),
      ask: (read, next) => write('ask', read.instance.id, () => store.ask(read, next)),
      tell: (read, progress) =>
        write(`tell ${progress.state} ${progress.work?.step ?? ''}`, read.instance.id, async () => {
          const told = await store.tell(read, progress);
          if (told === 'written') {
            checks.told(read, progress);
          }
          return told;
        }),
      remove: (read) =>
        write('remove', read.instance.id, async () => {
          const removed = await store.remove(read);
          if (removed === 'written') {
            checks.removed(read);
          }
          return removed;
        }),
    };
  }

  #parts(): PartStore {
    const { cluster, checks } = this.#ground;
    const call = <T>(what: string, effect: () => T): Promise<T> => this.#call(what, effect);
    const made = (what: string, effect: () => void): Promise<undefined> =>
      call(what, () => {
        effect();
        return undefined;
      });
    return {
      known: (record) => this.#known.get(record)?.parts ?? { claims: [], placeholders: [] },
      read: ({ name, uid }) => call(`read parts of ${name}`, () => cluster.partsOf(uid)),
      makeClaim: (record, index) =>
        made(`make claim ${index} of ${record.name}`, () => cluster.makeClaim(record, index)),
      makePlaceholder: (record, index) =>
        made(`make pod ${index} of ${record.name}`, () => cluster.makePlaceholder(record, index)),
      removeClaim: (_namespace, { name, uid }) =>
        call(`remove claim ${name}`, () => {
          checks.removing(name, uid);
          cluster.removeClaim(name, uid);
        }),
      removePlaceholder: (_namespace, { name, uid }) =>
        call(`remove pod ${name}`, () => cluster.removePlaceholder(name, uid)),
      free: (_namespace, { name, uid }) =>
        call(`free claim ${name}`, () => cluster.freeClaim(name, uid)),
      resize: (_namespace, { name, uid }, size) =>
        call(`resize ${name}`, () => {
          const claim = cluster.claims.get(name);
          if (claim?.uid !== uid || size < (claim.capacity ?? 0)) {
            return { refused: 'cannot shrink' };
          }
          claim.requested = size;
          cluster.changed(claim.record);
          return undefined;
        }),
      retain: (_namespace, { name, uid }, until) =>
        call(`retain ${name}`, () => cluster.retain(name, uid, Date.parse(until))),
      usersOf: (_namespace, names) =>
        call('look for users', () => names.filter((name) => cluster.users.has(name))),
      told: ({ uid }) => call('read events', () => cluster.told(uid)),
    };
  }

  #ports(): InstanceWorkPorts {
    const { cluster, world } = this.#ground;
    const known = this.#known;
    return {
      instances: this.#store(),
      view: {
        get: (name) => known.get(name)?.stored,
        *running() {
          for (const [name, { stored }] of known) {
            if (isRunning(stored.instance)) {
              yield [name, stored] as const;
            }
          }
        },
      },
      parts: this.#parts(),
      volumes: {
        find: (claim) => this.#call(`find ${claim.name}`, () => cluster.place(claim)),
        isGone: (name) => this.#call(`look for ${name}`, () => cluster.isGone(name)),
      },
      events: { normal: () => {}, warning: () => {} },
      now: () => world.now,
      freed: { at: world.now },
      heard: { ended: () => {}, gaveBack: () => {} },
    };
  }
}
