import type { ApiClient } from './api-client.ts';
import { ApiError } from './api-client.ts';
import { forEachParallel } from './parallel.ts';

interface Taint {
  key: string;
  value?: string;
  effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
}

export interface HollowNodeOptions {
  /** Labels of one node; the function form gives each its own. */
  labels?: Record<string, string> | ((name: string) => Record<string, string>);
  annotations?: Record<string, string> | ((name: string) => Record<string, string>);
  allocatable?: Record<string, string>;
  taints?: Taint[];
  /** Of nodes given by count: `<prefix>-0`, `<prefix>-1`, ... */
  prefix?: string;
}

const HOLLOW_LABEL = 'berth.test/hollow';
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
const ROOM = { cpu: '16', memory: '64Gi', pods: '250', 'ephemeral-storage': '200Gi' };
// More in flight do not make it faster on few cores, and leave no place for the requests of others.
const WIDTH = 32;

/**
 * Nodes without a kubelet: Node objects that say Ready, and leases renewed from here so that the node lifecycle
 * controller believes it. Pods are bound to them and stay Pending for ever.
 */
export class HollowNodes {
  readonly #api: ApiClient;
  readonly #intervalMs: number;
  readonly #names = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #renewing = false;

  constructor(api: ApiClient, nodeMonitorGraceSeconds: number) {
    this.#api = api;
    // A round may take a while with thousands of nodes; a third leaves room for one that is late.
    this.#intervalMs = Math.min((nodeMonitorGraceSeconds * 1000) / 3, 2 ** 31 - 1);
  }

  /** Adds nodes, by number or by name, and returns their names once all are Ready and without start-up taints. */
  async add(
    wanted: number | readonly string[],
    options: HollowNodeOptions = {},
  ): Promise<string[]> {
    const names = typeof wanted === 'number' ? this.#freshNames(wanted, options) : [...wanted];
    for (const name of names) this.#names.add(name);
    this.#beat();
    await forEachParallel(names, WIDTH, (name) => this.#create(name, options));
    return names;
  }

  /** Takes over nodes that an earlier process created. */
  async adopt(): Promise<number> {
    const path = `/api/v1/nodes?labelSelector=${encodeURIComponent(`${HOLLOW_LABEL}=true`)}`;
    const { items } = await this.#api.request<{ items: { metadata: { name: string } }[] }>(
      'GET',
      path,
    );
    for (const { metadata } of items) this.#names.add(metadata.name);
    this.#beat();
    await this.#renewAll();
    return items.length;
  }

  /** Removes the nodes; without names all of them. Repeatable. */
  async remove(names: readonly string[] = [...this.#names]): Promise<void> {
    for (const name of names) this.#names.delete(name);
    await forEachParallel(names, WIDTH, async (name) => {
      await this.#delete(`/api/v1/nodes/${name}`);
      await this.#delete(`${LEASES}/${name}`);
    });
  }

  /** Ends the heartbeats: after the grace period the nodes count as unreachable. */
  stopHeartbeats(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Ends the heartbeats of one node, as if it had lost its power. */
  lose(name: string): void {
    this.#names.delete(name);
  }

  /** The node beats again, and says what a kubelet would say. */
  async bringBack(name: string): Promise<void> {
    this.#names.add(name);
    await this.#api.patch(`${LEASES}/${name}`, { spec: { renewTime: microTime() } });
    const path = `/api/v1/nodes/${name}/status`;
    await this.#api.patch(path, { status: { conditions: conditions() } });
  }

  #freshNames(count: number, { prefix = 'hollow' }: HollowNodeOptions): string[] {
    const names: string[] = [];
    for (let index = 0; names.length < count; index += 1) {
      const name = `${prefix}-${index}`;
      if (!this.#names.has(name)) names.push(name);
    }
    return names;
  }

  async #create(name: string, options: HollowNodeOptions): Promise<void> {
    await this.#api.request('POST', LEASES, { body: leaseOf(name) });
    await this.#api.request('POST', '/api/v1/nodes', { body: nodeOf(name, options) });
    // Admission taints every new node as not ready, whatever its status says.
    await this.#api.patch(`/api/v1/nodes/${name}`, { spec: { taints: options.taints ?? null } });
  }

  async #delete(path: string): Promise<void> {
    try {
      await this.#api.request('DELETE', path);
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error;
    }
  }

  #beat(): void {
    this.#timer ??= setInterval(() => void this.#renewAll(), this.#intervalMs).unref();
  }

  async #renewAll(): Promise<void> {
    if (this.#renewing) return;
    this.#renewing = true;
    const spec = { renewTime: microTime() };
    // A failed beat is not reported: the API server may be down on purpose, and the next beat comes.
    const renew = (name: string): Promise<unknown> =>
      this.#api.patch(`${LEASES}/${name}`, { spec }).catch(() => undefined);
    await forEachParallel([...this.#names], WIDTH / 4, renew);
    this.#renewing = false;
  }
}

function leaseOf(name: string): object {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name, namespace: 'kube-node-lease' },
    spec: { holderIdentity: name, leaseDurationSeconds: 40, renewTime: microTime() },
  };
}

function microTime(): string {
  return new Date().toISOString().replace('Z', '000Z');
}

function nodeOf(name: string, options: HollowNodeOptions): object {
  const resources = { ...ROOM, ...options.allocatable };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      annotations: forNode(options.annotations, name),
      labels: {
        [HOLLOW_LABEL]: 'true',
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        ...forNode(options.labels, name),
      },
    },
    status: { capacity: resources, allocatable: resources, conditions: conditions() },
  };
}

function forNode(
  given: HollowNodeOptions['labels'],
  name: string,
): Record<string, string> | undefined {
  return typeof given === 'function' ? given(name) : given;
}

function conditions(): object[] {
  const now = new Date().toISOString();
  const healthy = { status: 'False', reason: 'Hollow', message: '' };
  const times = { lastHeartbeatTime: now, lastTransitionTime: now };
  return [
    ...['MemoryPressure', 'DiskPressure', 'PIDPressure'].map((type) => ({
      type,
      ...healthy,
      ...times,
    })),
    { type: 'Ready', status: 'True', reason: 'Hollow', message: 'no kubelet', ...times },
  ];
}
