import type { KubeClient } from '../../src/kube/client.ts';
import type { OpenWatch } from '../../src/kube/reflector.ts';
import {
  isIn,
  isSelected,
  parsePath,
  type ApiServer,
  type Change,
  type Stored,
} from './api-server.ts';
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

/** What a process sees the API through. */
export interface Access {
  readonly world: World;
  readonly server: ApiServer;
  readonly process: Process;
  readonly faults: Faults;
  /** How much later than usual the process hears of a resource. */
  readonly lateMs: (process: string, resource: string) => number;
  /** What really arrives of a patch, or of the conditions of a delete. */
  readonly write: (body: object) => object;
}

/** The API as one process sees it: late, now and then not at all. */
export function openClient(access: Access): KubeClient {
  const { server, write } = access;
  const call = <T>(what: string, effect: () => object): Promise<T> => send(access, what, effect);
  return {
    api: {
      get: (path, query) => call(`get ${path}`, () => server.get(path, query)),
      create: (path, object) => call(`create ${path}`, () => server.create(path, object)),
      replace: (path, object) => call(`replace ${path}`, () => server.replace(path, object)),
      patch: (path, _type, patch) =>
        call(`patch ${path} ${JSON.stringify(patch)}`, () => server.patch(path, write(patch))),
      delete: (path, conditions) =>
        call(`delete ${path}`, () => server.delete(path, write(conditions ?? {}))),
    },
    openWatch: (path, query, onEvent, onEnd) =>
      new Follower(access, { onEvent, onEnd }).start(path, query),
  };
}

function send<T>(access: Access, what: string, effect: () => object): Promise<T> {
  const { world, process } = access;
  if (what.includes('/events')) {
    return Promise.resolve({} as T);
  }
  return new Promise((resolve, reject) => {
    const outcome = outcomeOf(access);
    world.soon(undefined, () => {
      const answer = outcome === 'dies before' ? refused : attempt(access, what, effect, outcome);
      if (outcome === 'dies before' || outcome === 'dies after') {
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

function attempt(
  { world, process }: Access,
  what: string,
  effect: () => object,
  outcome: Outcome,
): Answer {
  if (outcome === 'refused') {
    return refused;
  }
  const isWrite = !what.startsWith('get') && !what.includes('/leases');
  try {
    const value = effect();
    if (isWrite) {
      world.say(process.name, what);
    }
    return { ok: true, value };
  } catch (error) {
    if (isWrite) {
      world.say(process.name, `${what}: refused, ${String(error).slice(-60)}`);
    }
    return { ok: false, error: error as Error };
  }
}

function outcomeOf({ world, faults }: Access): Outcome {
  const kind = world.random.next();
  const side = world.random.chance(0.5);
  if (kind < faults.death) {
    return side ? 'dies before' : 'dies after';
  }
  return kind < faults.death + faults.call ? (side ? 'refused' : 'answer lost') : 'well';
}

type Answer =
  { readonly ok: true; readonly value: object } | { readonly ok: false; readonly error: Error };

const refused: Answer = { ok: false, error: new Error('connection refused') };

interface Hearer {
  readonly onEvent: (type: string, object: unknown) => void;
  readonly onEnd: (error: unknown) => void;
}

type Fits = (object: Stored | undefined) => boolean;

/** One watch: all changes of a collection, in their order, each a random moment late. */
class Follower {
  readonly #access: Access;
  readonly #hearer: Hearer;
  #lateMs = 0;
  #ended = false;

  constructor(access: Access, hearer: Hearer) {
    this.#access = access;
    this.#hearer = hearer;
  }

  start(path: string, query: Parameters<OpenWatch>[1]): Promise<AbortController> {
    const { resource, namespace } = parsePath(path);
    const fits: Fits = (object) =>
      object !== undefined && isIn(object, namespace) && isSelected(object, query);
    const { world, server, process, lateMs } = this.#access;
    this.#lateMs = lateMs(process.name, resource);
    const changes = server.changes.get(resource) ?? [];
    server.changes.set(resource, changes);
    const from = Number(query['resourceVersion']);
    const next = changes.findIndex(({ version }) => version > from);
    const controller = new AbortController();
    controller.signal.addEventListener('abort', () => this.#end(null));
    this.#read(changes, next < 0 ? changes.length : next, fits);
    const seconds = Number(query['timeoutSeconds']);
    world.after(seconds * 1000, process, () => this.#end(null));
    return Promise.resolve(controller);
  }

  /** Reads what there is to read, then looks again: as a stream that comes in pieces. */
  #read(changes: readonly Change[], from: number, fits: Fits): void {
    const { world, process, faults } = this.#access;
    const { random } = world;
    const lateMs = random.chance(watchedLatest) ? random.delay() * 5 : random.delay();
    if (from >= changes.length) {
      idle(changes).add(() => this.#read(changes, from, fits));
      return;
    }
    world.after(lateMs + this.#lateMs, process, () => {
      const upTo = Math.min(changes.length, from + random.between(1, 4));
      for (const change of changes.slice(from, upTo)) {
        this.#tell(change, fits);
      }
      if (random.chance(faults.watch)) {
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
