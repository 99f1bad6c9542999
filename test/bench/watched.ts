import { waitFor } from '../cluster/wait.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { LocalVolumeObject } from '../../src/kube/custom-objects.ts';
import type { KubeObject, Pod } from '../../src/kube/objects.ts';
import { resourcePath, type Resource } from '../../src/kube/paths.ts';
import { createReflector, type Reflector } from '../../src/kube/reflector.ts';

const silent = { info: () => {}, warn: () => {}, error: () => {} };
const patienceMs = 240_000;

/** Hears of pods and volumes by a watch, and tells the moment when something came to be. */
export class Watched {
  readonly #pods: Reflector<Pod>;
  readonly #volumes: Reflector<LocalVolumeObject>;
  readonly #stopping = new AbortController();

  constructor(client: KubeClient) {
    const open = <T extends KubeObject>(resource: Resource): Reflector<T> =>
      createReflector<T>({ ...client, log: silent, path: resourcePath(resource) });
    this.#pods = open<Pod>('pods');
    this.#volumes = open<LocalVolumeObject>('localvolumes');
    void this.#pods.run(this.#stopping.signal);
    void this.#volumes.run(this.#stopping.signal);
  }

  async ready(): Promise<void> {
    const synced = (): boolean => this.#pods.synced && this.#volumes.synced;
    await waitFor('the watches of the bench', synced, { timeoutMs: 10_000 });
  }

  stop(): void {
    this.#stopping.abort();
  }

  /** When the pod was seen with a node; the clock is that of `performance.now()`. */
  bound(name: string): Promise<number> {
    return seen(this.#pods, `default/${name}`, (pod) => Boolean(pod?.spec?.nodeName));
  }

  /** When the scheduler was seen to have found no node for the pod. */
  refused(name: string): Promise<number> {
    return seen(this.#pods, `default/${name}`, (pod) =>
      Boolean(pod?.status?.conditions?.some(({ reason }) => reason === 'Unschedulable')),
    );
  }

  volumeReady(name: string): Promise<number> {
    return seen(this.#volumes, name, (volume) => volume?.status?.phase === 'Ready');
  }

  volumeGone(name: string): Promise<number> {
    return seen(this.#volumes, name, (volume) => volume === undefined);
  }

  podGone(name: string): Promise<number> {
    return seen(this.#pods, `default/${name}`, (pod) => pod === undefined);
  }

  get volumeCount(): number {
    return this.#volumes.size;
  }
}

interface Waiting {
  readonly look: () => void;
}

const waitingOf = new WeakMap<object, Map<string, Set<Waiting>>>();

/** One listener per collection, however many are awaited. */
function waitingIn<T extends KubeObject>(memory: Reflector<T>): Map<string, Set<Waiting>> {
  let waiting = waitingOf.get(memory);
  if (!waiting) {
    const all = new Map<string, Set<Waiting>>();
    memory.onChange((before, after) => {
      const { namespace, name = '' } = (after ?? before)?.metadata ?? {};
      for (const { look } of all.get(namespace ? `${namespace}/${name}` : name) ?? []) {
        look();
      }
    });
    waitingOf.set(memory, all);
    waiting = all;
  }
  return waiting;
}

function seen<T extends KubeObject>(
  memory: Reflector<T>,
  key: string,
  done: (object: T | undefined) => boolean,
): Promise<number> {
  const waiting = waitingIn(memory);
  return new Promise((resolve, reject) => {
    const mine: Waiting = {
      look: () => {
        if (done(memory.get(key))) {
          clearTimeout(timer);
          waiting.get(key)?.delete(mine);
          resolve(performance.now());
        }
      },
    };
    const timer = setTimeout(() => {
      waiting.get(key)?.delete(mine);
      reject(new Error(`waited ${patienceMs / 1000} s for ${key}, in vain`));
    }, patienceMs);
    const all = waiting.get(key) ?? new Set();
    waiting.set(key, all);
    all.add(mine);
    mine.look();
  });
}
