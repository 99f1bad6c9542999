import { bytes } from '../../../src/model/bytes.ts';
import type { Progress } from '../../../src/broker/instance.ts';
import type { InstanceStore } from '../../../src/usecases/broker-ports.ts';
import { send } from './send.ts';

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

export interface Ask {
  readonly method?: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** An object is sent as JSON; a text as it is, and bytes without a type of their own. */
  readonly body?: unknown;
  /** A header that is empty is left out. */
  readonly headers?: Readonly<Record<string, string>>;
}

export const user = 'platform:first-password';

/** Who asks: `name:password`, and the authority of a broker that is asked by HTTPS. */
export interface Caller {
  readonly user: string;
  readonly ca?: string | undefined;
}

/** The usual body of a request to provision. */
export const provisioning = {
  service_id: 'disks-id',
  plan_id: 'small-id',
  organization_guid: 'org',
  space_guid: 'space',
  context: { platform: 'kubernetes', namespace: 'default', clusterid: 'c' },
  parameters: { size: '3Gi' },
};
export const ids = { service_id: 'disks-id', plan_id: 'small-id' };
export const async = { accepts_incomplete: 'true' };

/** A platform that asks, and a hand that plays the working half. */
export class Platform {
  readonly #url: string;
  readonly #store: InstanceStore;
  readonly #as: Caller;

  constructor(url: string, store: InstanceStore, as: Caller = { user }) {
    this.#url = url;
    this.#store = store;
    this.#as = as;
  }

  async ask({ method = 'GET', path, query = {}, body, headers = {} }: Ask): Promise<Answered> {
    const all = Object.entries({
      authorization: `Basic ${Buffer.from(this.#as.user).toString('base64')}`,
      'x-broker-api-version': '2.17',
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    }).filter(([, value]) => value !== '');
    const search = new URLSearchParams(query).toString();
    const { text, ...answered } = await send(`${this.#url}${path}${search && `?${search}`}`, {
      method,
      headers: Object.fromEntries(all),
      ca: this.#as.ca,
      body:
        body === undefined || typeof body === 'string' || body instanceof Buffer
          ? body
          : JSON.stringify(body),
    });
    // An answer that nothing has changed has no body.
    return { ...answered, body: JSON.parse(text || '{}') as Record<string, unknown> };
  }

  provision(id: string, body: object = provisioning): Promise<Answered> {
    return this.ask({ method: 'PUT', path: instancePath(id), query: async, body });
  }

  update(id: string, body: object): Promise<Answered> {
    return this.ask({ method: 'PATCH', path: instancePath(id), query: async, body });
  }

  deprovision(id: string, of: Readonly<Record<string, string>> = ids): Promise<Answered> {
    return this.ask({ method: 'DELETE', path: instancePath(id), query: { ...async, ...of } });
  }

  bind(id: string, binding: string, body: object = ids): Promise<Answered> {
    return this.ask({ method: 'PUT', path: bindingPath(id, binding), body });
  }

  /** What the working half would say of the operation that runs. */
  async tell(id: string, said: Partial<Progress>): Promise<void> {
    const read = await this.#store.get(id);
    if (read === undefined) {
      throw new Error(`there is no instance ${id}`);
    }
    const { operation, wants } = read.instance;
    const volumes = Array.from({ length: wants.count }, (_, at) => ({
      claim: `data-${id}-${at}`,
      persistentVolume: `pvc-${id}-${at}`,
      node: `node-${at}`,
      bytes: bytes(wants.bytes),
    }));
    const told = await this.#store.tell(read, {
      ...{ operationId: operation.id, state: 'succeeded', description: 'done', volumes },
      ...{ usable: true, repeatable: true, since: operation.startedAt, ...said },
    });
    if (told !== 'written') {
      throw new Error(`the progress of ${id} was ${told}`);
    }
  }

  /** The operation that was begun last. */
  async operation(id: string): Promise<string | undefined> {
    return (await this.#store.get(id))?.instance.operation.id;
  }

  async forget(id: string): Promise<void> {
    const read = await this.#store.get(id);
    if (read !== undefined) {
      await this.#store.remove(read);
    }
  }
}

export function instancePath(id: string): string {
  return `/v2/service_instances/${encodeURIComponent(id)}`;
}

export function bindingPath(id: string, binding: string): string {
  return `${instancePath(id)}/service_bindings/${encodeURIComponent(binding)}`;
}
