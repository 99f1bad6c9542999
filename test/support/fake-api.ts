import { ApiError, type KubeApi } from '../../src/kube/api.ts';
import type { KubeObject } from '../../src/kube/objects.ts';
import type { ChangeListener, Reflector } from '../../src/kube/reflector.ts';

type Stored = KubeObject & Record<string, unknown>;

export interface Call {
  readonly verb: 'get' | 'create' | 'replace' | 'patch' | 'delete';
  readonly path: string;
  readonly body?: unknown;
}

/**
 * Records the calls and keeps the objects, with versions that are compared: enough of an API
 * server to see what a client sends and how it takes a refusal.
 */
export class FakeApi implements KubeApi {
  readonly calls: Call[] = [];
  readonly objects = new Map<string, Stored>();
  /** Runs before a call; what it throws is the answer, what it awaits is awaited. */
  before: (call: Call) => void | Promise<void> = () => {};
  #version = 0;

  put(path: string, object: KubeObject): void {
    this.#version += 1;
    const metadata = { ...object.metadata, resourceVersion: String(this.#version) };
    this.objects.set(path, { ...object, metadata });
  }

  writes(): readonly Call[] {
    return this.calls.filter(({ verb }) => verb !== 'get');
  }

  async get<T>(path: string): Promise<T> {
    await this.#called({ verb: 'get', path });
    return structuredClone(this.#existing('GET', path)) as T;
  }

  async create<T>(path: string, object: object): Promise<T> {
    await this.#called({ verb: 'create', path, body: object });
    const at = `${path}/${(object as KubeObject).metadata?.name ?? ''}`;
    if (this.objects.has(at)) {
      throw new ApiError('POST', path, 409, { reason: 'AlreadyExists' });
    }
    const { metadata } = object as KubeObject;
    this.put(at, { ...object, metadata: { uid: `made-${this.#version}`, ...metadata } });
    return this.objects.get(at) as T;
  }

  async replace<T>(path: string, object: object): Promise<T> {
    await this.#called({ verb: 'replace', path, body: object });
    this.#compare('PUT', path, object);
    this.put(path, object);
    return this.objects.get(path) as T;
  }

  async patch<T>(path: string, _type: string, patch: object): Promise<T> {
    await this.#called({ verb: 'patch', path, body: patch });
    const now = this.#compare('PATCH', path, patch);
    this.put(path, merge(now, patch) as KubeObject);
    return this.objects.get(path) as T;
  }

  async delete(path: string, preconditions: object = {}): Promise<void> {
    await this.#called({ verb: 'delete', path, body: preconditions });
    this.#compare('DELETE', path, { metadata: preconditions });
    this.objects.delete(path);
  }

  async #called(call: Call): Promise<void> {
    this.calls.push(call);
    await this.before(call);
  }

  #existing(method: string, path: string): Stored {
    const object = this.objects.get(path);
    if (!object) {
      throw new ApiError(method, path, 404, { reason: 'NotFound' });
    }
    return object;
  }

  /** What a write names of the object must still be so. */
  #compare(method: string, path: string, { metadata = {} }: KubeObject): Stored {
    const now = this.#existing(method, path);
    for (const key of ['uid', 'resourceVersion'] as const) {
      if (metadata[key] !== undefined && metadata[key] !== now.metadata?.[key]) {
        throw new ApiError(method, path, 409, { reason: 'Conflict' });
      }
    }
    return now;
  }
}

/** JSON merge patch (RFC 7386). */
export function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) {
    return patch;
  }
  const result = { ...(target as Record<string, unknown> | undefined) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) {
      Reflect.deleteProperty(result, key);
    } else {
      result[key] = merge(result[key], value);
    }
  }
  return result;
}

/** A reflector that a test feeds by hand. */
export class FakeReflector<T extends KubeObject> implements Reflector<T> {
  readonly synced = true;
  readonly #objects = new Map<string, T>();
  readonly #listeners: ChangeListener<T>[] = [];

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): Iterable<T> {
    return this.#objects.values();
  }

  onChange(listener: ChangeListener<T>): void {
    this.#listeners.push(listener);
  }

  async run(): Promise<void> {}

  put(key: string, object: T): void {
    const before = this.#objects.get(key);
    this.#objects.set(key, object);
    this.#listeners.forEach((listener) => listener(before, object));
  }

  drop(key: string): void {
    const before = this.#objects.get(key);
    this.#objects.delete(key);
    this.#listeners.forEach((listener) => listener(before, undefined));
  }
}
