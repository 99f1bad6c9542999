import type { KubeApi } from '../../src/kube/api.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { OpenWatch } from '../../src/kube/reflector.ts';
import { isIn, isSelected, parsePath, type ApiServer, type Change, type Stored } from './api-server.ts';
import type { Process, World } from './world.ts';

/** How often something goes wrong, from 0 to 1. */
export interface Faults {
  /** A call has no effect, or has it and the answer is lost. */
  call: number;
  /** The process dies just before or just after a call has had its effect. */
  death: number;
  /** A watch breaks; now and then the server has forgotten its version. */
  watch: number;
}

type Outcome = 'well' | 'refused' | 'answer lost' | 'dies before' | 'dies after';

const watchedLatest = 0.1;

/** The API as one process sees it: late, now and then not at all. */
export class Client implements KubeClient {
  readonly api: KubeApi;
  readonly openWatch: OpenWatch;
  readonly #world: World;
  readonly #process: Process;
  readonly #faults: Faults;

  constructor(world: World, server: ApiServer, process: Process, faults: Faults) {
    this.#world = world;
    this.#process = process;
    this.#faults = faults;
    this.api = {
      get: (path, query) => this.#call(`get ${path}`, () => server.get(path, query)),
      create: (path, object) => this.#call(`create ${path}`, () => server.create(path, object)),
      replace: (path, object) => this.#call(`replace ${path}`, () => server.replace(path, object)),
      patch: (path, _type, patch) =>
        this.#call(`patch ${path} ${JSON.stringify(patch)}`, () => server.patch(path, patch)),
      delete: (path, conditions) =>
        this.#call(`delete ${path}`, () => server.delete(path, conditions)),
    };
    this.openWatch = (path, query, onEvent, onEnd) => {
      const follower = new Follower(world, server, process, faults, { onEvent, onEnd });
      return follower.start(path, query);
    };
  }

  #call<T>(what: string, effect: () => object | void): Promise<T> {
    const world = this.#world;
    const process = this.#process;
    if (what.includes('/events')) {
      return Promise.resolve({} as T);
    }
    return new Promise((resolve, reject) => {
      const outcome = this.#outcome();
      world.soon(undefined, () => {
        if (outcome === 'dies before') {
          world.kill(process);
          return;
        }
        const answer = outcome === 'refused' ? refused : this.#attempt(what, effect);
        if (outcome === 'dies after') {
          world.kill(process);
          return;
        }
        const isLost = outcome === 'answer lost';
        world.soon(process, () => {
          if (answer.ok && !isLost) {
            resolve(answer.value as T);
          } else {
            reject(answer.ok || isLost ? new Error(`${what}: no answer`) : answer.error);
          }
        });
      });
    });
  }

  #attempt(what: string, effect: () => object | void): Answer {
    const isWrite = !what.startsWith('get') && !what.includes('/leases');
    try {
      const value = effect();
      if (isWrite) {
        this.#world.say(this.#process.name, what);
      }
      return { ok: true, value };
    } catch (error) {
      if (isWrite) {
        this.#world.say(this.#process.name, `${what}: refused, ${String(error).slice(-60)}`);
      }
      return { ok: false, error: error as Error };
    }
  }

  #outcome(): Outcome {
    const { random } = this.#world;
    const kind = random.next();
    const side = random.chance(0.5);
    const { call, death } = this.#faults;
    if (kind < death) {
      return side ? 'dies before' : 'dies after';
    }
    return kind < death + call ? (side ? 'refused' : 'answer lost') : 'well';
  }
}

type Answer =
  | { readonly ok: true; readonly value: object | void }
  | { readonly ok: false; readonly error: Error };

const refused: Answer = { ok: false, error: new Error('connection refused') };

interface Hearer {
  readonly onEvent: (type: string, object: unknown) => void;
  readonly onEnd: (error: unknown) => void;
}

type Fits = (object: Stored | undefined) => boolean;

/** One watch: all changes of a collection, in their order, each a random moment late. */
class Follower {
  readonly #world: World;
  readonly #server: ApiServer;
  readonly #process: Process;
  readonly #faults: Faults;
  readonly #hearer: Hearer;
  #ended = false;

  constructor(
    world: World,
    server: ApiServer,
    process: Process,
    faults: Faults,
    hearer: Hearer,
  ) {
    this.#world = world;
    this.#server = server;
    this.#process = process;
    this.#faults = faults;
    this.#hearer = hearer;
  }

  start(path: string, query: Parameters<OpenWatch>[1]): Promise<AbortController> {
    const { resource, namespace } = parsePath(path);
    const fits: Fits = (object) =>
      object !== undefined && isIn(object, namespace) && isSelected(object, query);
    const changes = this.#server.changes.get(resource) ?? [];
    this.#server.changes.set(resource, changes);
    const from = Number(query['resourceVersion']);
    const next = changes.findIndex(({ version }) => version > from);
    const controller = new AbortController();
    controller.signal.addEventListener('abort', () => this.#end(null));
    this.#read(changes, next < 0 ? changes.length : next, fits);
    const seconds = Number(query['timeoutSeconds']);
    this.#world.after(seconds * 1000, this.#process, () => this.#end(null));
    return Promise.resolve(controller);
  }

  /** Reads what there is to read, then looks again: as a stream that comes in pieces. */
  #read(changes: readonly Change[], from: number, fits: Fits): void {
    const { random } = this.#world;
    const lateness = random.chance(watchedLatest) ? random.delay() * 5 : random.delay();
    if (from >= changes.length) {
      idle(changes).add(() => this.#read(changes, from, fits));
      return;
    }
    this.#world.after(lateness, this.#process, () => {
      const upTo = Math.min(changes.length, from + random.between(1, 4));
      for (const change of changes.slice(from, upTo)) {
        this.#tell(change, fits);
      }
      if (random.chance(this.#faults.watch)) {
        this.#end(Object.assign(new Error('broken'), random.chance(0.3) && { statusCode: 410 }));
      }
      if (!this.#ended) {
        this.#read(changes, upTo, fits);
      }
    });
  }

  #tell({ version, before, after }: Change, fits: Fits): void {
    if (this.#ended) {
      return;
    }
    if (after !== undefined && fits(after)) {
      this.#hearer.onEvent(fits(before) ? 'MODIFIED' : 'ADDED', after);
    } else if (before !== undefined && fits(before)) {
      const last = after ?? before;
      const metadata = { ...last.metadata, resourceVersion: String(version) };
      this.#hearer.onEvent('DELETED', { ...last, metadata });
    }
  }

  #end(error: unknown): void {
    if (!this.#ended) {
      this.#ended = true;
      this.#hearer.onEnd(error);
    }
  }
}

/** The watches that have read everything, per collection. */
const waiting = new WeakMap<readonly Change[], Set<() => void>>();

function idle(changes: readonly Change[]): Set<() => void> {
  const readers = waiting.get(changes) ?? new Set();
  waiting.set(changes, readers);
  return readers;
}

/** Tells the watches of a collection that there is something new to read. */
export function wakeWatches(changes: readonly Change[]): void {
  const readers = [...(waiting.get(changes) ?? [])];
  waiting.get(changes)?.clear();
  readers.forEach((read) => read());
}
