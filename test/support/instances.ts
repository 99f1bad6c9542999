import type { Instance, Progress, Wants } from '../../src/broker/instance.ts';
import { isRunning } from '../../src/broker/work.ts';
import { instanceStore } from '../../src/kube/broker-instances.ts';
import { openCluster } from '../../src/kube/client.ts';
import { bytes } from '../../src/model/bytes.ts';
import type { InstanceStore, StoredInstance } from '../../src/usecases/broker-ports.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { waitFor } from '../cluster/wait.ts';
import { MiB } from './objects.ts';

/** The answering half in the words of the tests: asks for instances, and waits for what becomes of them. */
export class Instances {
  readonly #store: InstanceStore;
  #operations = 0;

  constructor(cluster: Cluster) {
    this.#store = instanceStore(openCluster(cluster.kubeconfig).api);
  }

  async provision(id: string, wants: Partial<Wants>): Promise<void> {
    const operation = this.#operation('provision');
    const instance: Instance = {
      ...{ id, serviceId: 'service', planId: 'plan', parameters: {}, context: {} },
      ...{ namespace: 'default', bindings: [], operation },
      wants: { ...usual, ...wants },
      progress: untouched(operation.id),
    };
    await this.#store.create(instance);
  }

  async update(id: string, wants: Partial<Wants>): Promise<void> {
    const read = await this.read(id);
    const { planId, parameters, wants: present } = read.instance;
    const before = { planId, parameters, wants: present };
    const operation = { ...this.#operation('update'), before };
    await this.#store.ask(read, { ...read.instance, wants: { ...present, ...wants }, operation });
  }

  async deprovision(id: string): Promise<void> {
    for (;;) {
      const read = await this.read(id);
      const operation = this.#operation('deprovision');
      if ((await this.#store.ask(read, { ...read.instance, operation })) === 'written') {
        return;
      }
    }
  }

  async removeAll(): Promise<void> {
    const ids = (await this.list()).map(({ instance }) => instance.id);
    await Promise.all(ids.map((id) => this.deprovision(id)));
    await Promise.all(ids.map((id) => this.gone(id)));
  }

  async read(id: string): Promise<StoredInstance> {
    const stored = await this.#store.get(id);
    if (!stored) {
      throw new Error(`there is no instance ${id}`);
    }
    return stored;
  }

  list(): Promise<readonly StoredInstance[]> {
    return this.#store.list();
  }

  /** How the operation ended, once it has. */
  async ended(id: string, timeoutMs = 60_000): Promise<Progress> {
    return waitFor(
      `the operation on ${id} to end`,
      async () => {
        const { instance } = await this.read(id);
        return isRunning(instance) ? undefined : instance.progress;
      },
      { timeoutMs, explain: async () => JSON.stringify((await this.read(id)).instance.progress) },
    );
  }

  async gone(id: string, timeoutMs = 60_000): Promise<void> {
    await waitFor(`instance ${id} to be gone`, async () => !(await this.#store.get(id)), {
      timeoutMs,
      explain: async () => JSON.stringify((await this.read(id)).instance.progress),
    });
  }

  #operation(kind: 'provision' | 'update' | 'deprovision') {
    this.#operations += 1;
    return { id: `operation-${this.#operations}`, kind, startedAt: new Date().toISOString() };
  }
}

const usual: Wants = {
  ...{ storageClass: 'fast', bytes: bytes(8 * MiB), count: 1, spread: 'nodes' },
  ...{ volumeMode: 'Filesystem', placement: {}, placeholder: 'go', inUse: 'refuse' },
  ...{ retainMs: 0, patienceMs: 120_000 },
};

function untouched(operationId: string): Progress {
  const since = new Date().toISOString();
  return {
    ...{ operationId, since, state: 'in progress', description: 'waiting to begin' },
    ...{ usable: false, repeatable: true, volumes: [] },
  };
}
