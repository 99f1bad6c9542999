import type { Cluster } from '../cluster/cluster.ts';
import { ApiError } from '../cluster/api-client.ts';
import { waitFor } from '../cluster/wait.ts';
import type { LocalVolumeObject } from '../../src/kube/custom-objects.ts';
import type {
  KubeEvent,
  KubeObject,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
} from '../../src/kube/objects.ts';

const paths: Readonly<Record<string, string>> = {
  Pod: '/api/v1/namespaces/default/pods',
  PersistentVolumeClaim: '/api/v1/namespaces/default/persistentvolumeclaims',
  PersistentVolume: '/api/v1/persistentvolumes',
  Node: '/api/v1/nodes',
  StorageClass: '/apis/storage.k8s.io/v1/storageclasses',
  PriorityClass: '/apis/scheduling.k8s.io/v1/priorityclasses',
  DaemonSet: '/apis/apps/v1/namespaces/default/daemonsets',
  StatefulSet: '/apis/apps/v1/namespaces/default/statefulsets',
  StoragePool: '/apis/berth.dev/v1alpha1/storagepools',
  StorageNode: '/apis/berth.dev/v1alpha1/storagenodes',
  BrokerInstance: '/apis/berth.dev/v1alpha1/brokerinstances',
  LocalVolume: '/apis/berth.dev/v1alpha1/localvolumes',
};

/** The administrator's view of a cluster, in the words of the tests. All in namespace default. */
export class Kube {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  async create(object: object): Promise<void> {
    const { kind = '' } = object as KubeObject;
    await this.#cluster.api.request('POST', pathOf(kind), { body: object });
  }

  async createAll(objects: readonly object[]): Promise<void> {
    await Promise.all(objects.map((object) => this.create(object)));
  }

  get<T>(kind: string, name: string): Promise<T> {
    return this.#cluster.api.request<T>('GET', `${pathOf(kind)}/${name}`);
  }

  async find<T>(kind: string, name: string): Promise<T | undefined> {
    try {
      return await this.get<T>(kind, name);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) {
        return undefined;
      }
      throw error;
    }
  }

  async list<T>(kind: string): Promise<T[]> {
    return (await this.#cluster.api.request<{ items: T[] }>('GET', pathOf(kind))).items;
  }

  /** What is gone already, by its owner's end for example, is fine. */
  async delete(kind: string, ...names: readonly string[]): Promise<void> {
    await Promise.all(
      names.map(async (name) => {
        try {
          const body = { gracePeriodSeconds: 0 };
          await this.#cluster.api.request('DELETE', `${pathOf(kind)}/${name}`, { body });
        } catch (error) {
          if (!(error instanceof ApiError && error.status === 404)) {
            throw error;
          }
        }
      }),
    );
  }

  /** The node a pod is bound to, once it is. */
  async nodeOf(name: string, timeoutMs = 20_000): Promise<string> {
    return waitFor(
      `pod ${name} to be bound`,
      async () => (await this.get<Pod>('Pod', name)).spec?.nodeName,
      { timeoutMs, explain: () => this.eventTexts(name) },
    );
  }

  /** The node a pod is bound to now. */
  async nodeNameOf(name: string): Promise<string | undefined> {
    return (await this.get<Pod>('Pod', name)).spec?.nodeName;
  }

  /** Waits until all these pods run. */
  async running(...names: readonly string[]): Promise<void> {
    await Promise.all(
      names.map((name) =>
        waitFor(
          `pod ${name} to run`,
          async () => (await this.get<Pod>('Pod', name)).status?.phase === 'Running',
          { timeoutMs: 60_000, explain: () => this.eventTexts(name) },
        ),
      ),
    );
  }

  /** Waits until none of these is left. */
  async gone(kind: string, ...names: readonly string[]): Promise<void> {
    await Promise.all(
      names.map((name) =>
        waitFor(`${kind} ${name} to be gone`, async () => !(await this.find(kind, name)), {
          timeoutMs: 60_000,
        }),
      ),
    );
  }

  /** Deletes a pod and waits until its owner has made another, which runs. */
  async replacePod(name: string): Promise<void> {
    const { metadata } = await this.get<Pod>('Pod', name);
    await this.delete('Pod', name);
    await waitFor(
      `another pod ${name}`,
      async () => {
        const now = await this.find<Pod>('Pod', name);
        return now !== undefined && now.metadata?.uid !== metadata?.uid;
      },
      { timeoutMs: 30_000 },
    );
    await this.running(name);
  }

  /** The PersistentVolume a claim is bound to, once it is. */
  async volumeOf(claim: string, timeoutMs = 20_000): Promise<PersistentVolume> {
    return waitFor(
      `claim ${claim} to be bound`,
      async () => {
        const { spec, status } = await this.get<PersistentVolumeClaim>(
          'PersistentVolumeClaim',
          claim,
        );
        const name = status?.phase === 'Bound' ? spec?.volumeName : undefined;
        return name ? this.get<PersistentVolume>('PersistentVolume', name) : undefined;
      },
      { timeoutMs },
    );
  }

  /** The events about an object of that name. */
  async events(name: string): Promise<KubeEvent[]> {
    const path = `/api/v1/namespaces/default/events?fieldSelector=involvedObject.name=${name}`;
    return (await this.#cluster.api.request<{ items: KubeEvent[] }>('GET', path)).items;
  }

  /** The text of the first event about `name` with that reason, once there is one. */
  async event(name: string, reason: string, timeoutMs = 20_000): Promise<string> {
    return waitFor(
      `an event ${reason} about ${name}`,
      async () => (await this.events(name)).find((one) => one.reason === reason)?.message,
      { timeoutMs, explain: () => this.eventTexts(name) },
    );
  }

  async eventTexts(name: string): Promise<string> {
    const events = await this.events(name);
    return events.map(({ reason, message }) => `${reason ?? ''}: ${message ?? ''}`).join('\n');
  }

  /** What the agent of a node last said of a pool. */
  async report(node: string, pool: string): Promise<{ total: number; free: number } | undefined> {
    const { metadata } = await this.get<Node>('Node', node);
    const text = metadata?.annotations?.[`capacity.berth.dev/${pool}`];
    return text === undefined ? undefined : (JSON.parse(text) as { total: number; free: number });
  }

  /** Waits until no volume of ours is left, of either kind. */
  async noVolumesLeft(timeoutMs = 30_000): Promise<void> {
    const left = async (): Promise<string[]> => {
      const local = await this.list<LocalVolumeObject>('LocalVolume');
      const persistent = await this.list<PersistentVolume>('PersistentVolume');
      return [...local, ...persistent].map((one) => one.metadata?.name ?? '');
    };
    await waitFor('all volumes to be gone', async () => (await left()).length === 0, {
      timeoutMs,
      explain: async () => (await left()).join(', '),
    });
  }

  /** Waits until all volumes are gone, and is sure that all pods and claims are. */
  async nothingLeft(): Promise<void> {
    await this.noVolumesLeft();
    const claims = await this.list<KubeObject>('PersistentVolumeClaim');
    const pods = await this.list<KubeObject>('Pod');
    const left = [...claims, ...pods].map((one) => one.metadata?.name ?? '');
    if (left.length > 0) {
      throw new Error(`left over: ${left.join(', ')}`);
    }
  }

  /** Deletes all pods and claims, and waits until every pool of these nodes is empty again. */
  async clearAway(pools: Readonly<Record<string, readonly string[]>>): Promise<void> {
    for (const kind of ['Pod', 'PersistentVolumeClaim']) {
      const objects = await this.list<KubeObject>(kind);
      await this.delete(kind, ...objects.map(({ metadata }) => metadata?.name ?? ''));
    }
    await this.noVolumesLeft(60_000);
    for (const [pool, nodes] of Object.entries(pools)) {
      for (const node of nodes) {
        await waitFor(
          `pool ${pool} of ${node} to be all free`,
          async () => {
            const report = await this.report(node, pool);
            return report !== undefined && report.free === report.total;
          },
          { timeoutMs: 20_000 },
        );
      }
    }
  }
}

function pathOf(kind: string): string {
  const path = paths[kind];
  if (path === undefined) {
    throw new RangeError(`no path for kind ${kind}`);
  }
  return path;
}
