import { ApiError, type Query } from '../../src/kube/api.ts';
import type { KubeObject, ObjectMeta } from '../../src/kube/objects.ts';
import { merge } from '../support/fake-api.ts';

/** An object as it is kept: frozen, so that a reader who changes it is found out. */
export type Stored = Readonly<
  KubeObject & {
    metadata: ObjectMeta & { name: string; uid: string; resourceVersion: string };
    spec?: Record<string, unknown>;
    status?: Record<string, unknown>;
  }
>;

export interface Where {
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

export interface Change {
  readonly version: number;
  readonly before: Stored | undefined;
  readonly after: Stored | undefined;
}

export interface Preconditions {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

/** What the API server's own admission adds to new objects. */
const protections: Readonly<Record<string, string>> = {
  persistentvolumeclaims: 'kubernetes.io/pvc-protection',
  persistentvolumes: 'kubernetes.io/pv-protection',
};

export function parsePath(path: string): Where {
  const parts = path.split('/').slice(path.startsWith('/apis/') ? 4 : 3);
  const namespace = parts[0] === 'namespaces' && parts.length > 2 ? parts[1] : undefined;
  const [resource = '', name, subresource] = namespace === undefined ? parts : parts.slice(2);
  return { resource, namespace, name: name && decodeURIComponent(name), subresource };
}

/** An API server in memory: versions, preconditions, finalizers and deletion as the real one. */
export class ApiServer {
  /** Per resource, all changes there were: what watches are fed from. */
  readonly changes = new Map<string, Change[]>();
  /** Hears of each change. */
  onChange: (resource: string, change: Change) => void = () => {};
  readonly #objects = new Map<string, Map<string, Stored>>();
  readonly #now: () => number;
  #version = 100;

  constructor(now: () => number) {
    this.#now = now;
  }

  get version(): number {
    return this.#version;
  }

  list(resource: string): readonly Stored[] {
    return [...(this.#objects.get(resource)?.values() ?? [])];
  }

  find(resource: string, name: string, namespace?: string): Stored | undefined {
    return this.#objects.get(resource)?.get(keyIn(namespace, name));
  }

  get(path: string, query: Query = {}): object {
    const where = parsePath(path);
    if (where.name !== undefined) {
      return this.#existing('GET', path);
    }
    const items = this.list(where.resource).filter(
      (object) => isIn(object, where.namespace) && isSelected(object, query),
    );
    return { metadata: { resourceVersion: String(this.#version) }, items };
  }

  create(path: string, given: object): object {
    const where = parsePath(path);
    if (where.subresource === 'binding') {
      return this.#bind(path, given as KubeObject & { target: { name: string } });
    }
    const object = JSON.parse(JSON.stringify(given)) as KubeObject;
    const { name = '' } = object.metadata ?? {};
    if (this.find(where.resource, name, where.namespace)) {
      throw new ApiError('POST', `${path}/${name}`, 409, { reason: 'AlreadyExists' });
    }
    const protection = protections[where.resource];
    const metadata = {
      ...object.metadata,
      ...(where.namespace === undefined ? {} : { namespace: where.namespace }),
      name,
      uid: `${where.resource.slice(0, 3)}${this.#version}`,
      creationTimestamp: new Date(this.#now()).toISOString(),
      finalizers: [...(object.metadata?.finalizers ?? []), ...(protection ? [protection] : [])],
    };
    const status =
      (protection ?? where.resource === 'pods') ? { status: { phase: 'Pending' } } : {};
    return this.#write(where, undefined, { ...object, ...status, metadata });
  }

  replace(path: string, object: KubeObject): object {
    const now = this.#compare('PUT', path, object.metadata ?? {});
    return this.#write(parsePath(path), now, {
      ...object,
      metadata: { ...now.metadata, ...object.metadata },
    });
  }

  patch(path: string, given: object): object {
    const patch = JSON.parse(JSON.stringify(given)) as Record<string, unknown> & KubeObject;
    const now = this.#compare('PATCH', path, patch.metadata ?? {});
    const where = parsePath(path);
    if (where.subresource === 'status') {
      const status = merge(now.status ?? {}, patch['status'] ?? {});
      return this.#write(where, now, { ...now, status });
    }
    const merged = merge(now, { ...patch, status: {} }) as Stored;
    return this.#write(where, now, { ...merged, status: now.status });
  }

  /** @returns the object as it was */
  delete(path: string, preconditions: Preconditions = {}): Stored {
    const now = this.#compare('DELETE', path, preconditions);
    const where = parsePath(path);
    const isRunning = where.resource === 'pods' && now.spec?.['nodeName'] !== undefined;
    if ((now.metadata.finalizers ?? []).length === 0 && !isRunning) {
      this.#remove(where.resource, now);
    } else if (now.metadata.deletionTimestamp === undefined) {
      const deletionTimestamp = new Date(this.#now()).toISOString();
      this.#write(where, now, { ...now, metadata: { ...now.metadata, deletionTimestamp } });
    }
    return now;
  }

  /** Takes a deleted object away for good, as kubelet does with its pods. */
  removeNow(resource: string, object: Stored): void {
    this.#remove(resource, object);
  }

  #bind(path: string, { metadata, target }: KubeObject & { target: { name: string } }): object {
    const at = path.replace(/\/binding$/, '');
    const now = this.#compare('POST', at, metadata?.uid === undefined ? {} : { uid: metadata.uid });
    if (now.spec?.['nodeName'] !== undefined || now.metadata.deletionTimestamp !== undefined) {
      throw new ApiError('POST', path, 409, { reason: 'Conflict', message: 'already assigned' });
    }
    const spec = { ...now.spec, nodeName: target.name };
    return this.#write(parsePath(at), now, { ...now, spec });
  }

  #existing(method: string, path: string): Stored {
    const { resource, name = '', namespace } = parsePath(path);
    const object = this.find(resource, name, namespace);
    if (!object) {
      throw new ApiError(method, path, 404, { reason: 'NotFound' });
    }
    return object;
  }

  #compare(method: string, path: string, wanted: Preconditions): Stored {
    const now = this.#existing(method, path);
    for (const key of ['uid', 'resourceVersion'] as const) {
      if (wanted[key] !== undefined && wanted[key] !== now.metadata[key]) {
        throw new ApiError(method, path, 409, { reason: 'Conflict', message: `${key} differs` });
      }
    }
    return now;
  }

  #write({ resource }: Where, before: Stored | undefined, given: object): Stored {
    const object = given as KubeObject & { metadata: Stored['metadata'] };
    if (before && sameBut(before, object)) {
      return before;
    }
    if (object.metadata.deletionTimestamp && (object.metadata.finalizers ?? []).length === 0) {
      if (resource !== 'pods') {
        this.#remove(resource, before);
        return object;
      }
    }
    this.#version += 1;
    const metadata = { ...object.metadata, resourceVersion: String(this.#version) };
    const after = freeze(JSON.parse(JSON.stringify({ ...object, metadata })) as Stored);
    const all = this.#objects.get(resource) ?? new Map<string, Stored>();
    this.#objects.set(resource, all);
    all.set(keyIn(metadata.namespace, metadata.name), after);
    this.#tell(resource, { version: this.#version, before, after });
    return after;
  }

  #remove(resource: string, before: Stored | undefined): void {
    if (before) {
      this.#version += 1;
      this.#objects.get(resource)?.delete(keyIn(before.metadata.namespace, before.metadata.name));
      this.#tell(resource, { version: this.#version, before, after: undefined });
    }
  }

  #tell(resource: string, change: Change): void {
    const all = this.changes.get(resource) ?? [];
    this.changes.set(resource, all);
    all.push(change);
    this.onChange(resource, change);
  }
}

function keyIn(namespace: string | undefined, name: string): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

export function isIn({ metadata }: Stored, namespace: string | undefined): boolean {
  return namespace === undefined || metadata.namespace === namespace;
}

/** Equality selectors over labels and the few fields that are asked for. */
export function isSelected(object: Stored, { labelSelector, fieldSelector }: Query): boolean {
  const fields: Record<string, unknown> = {
    'metadata.name': object.metadata.name,
    'status.phase': object.status?.['phase'],
  };
  return matches(object.metadata.labels ?? {}, labelSelector) && matches(fields, fieldSelector);
}

function matches(actual: Readonly<Record<string, unknown>>, selector: Query[string]): boolean {
  if (selector === undefined) {
    return true;
  }
  const [key = '', value] = String(selector).split('=');
  return value === undefined ? key in actual : actual[key] === value;
}

function sameBut(before: Stored, after: object): boolean {
  return JSON.stringify(sorted(before)) === JSON.stringify(sorted(after));
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return value;
  }
  const entries = Object.entries(value).filter(([, part]) => part !== undefined);
  return Object.fromEntries(
    entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, part]) => [key, sorted(part)]),
  );
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(freeze);
  }
  return value;
}
