import { isRunning } from '../broker/work.ts';
import { instanceLabel, placeholderLabel } from '../model/names.ts';
import type { InstanceView } from '../usecases/broker-ports.ts';
import type { Log } from '../usecases/ports.ts';
import { instanceName, toStoredInstance, type BrokerInstanceObject } from './broker-instances.ts';
import type { KubeClient } from './client.ts';
import { keyOf, type KubeObject, type PersistentVolumeClaim, type Pod } from './objects.ts';
import { resourcePath, type Resource } from './paths.ts';
import { createReflector, type Reflector } from './reflector.ts';

/** What the working half of the broker watches: its own objects, however large the cluster is. */
export interface BrokerState {
  readonly instances: Reflector<BrokerInstanceObject>;
  readonly view: InstanceView;
  readonly claims: Reflector<PersistentVolumeClaim>;
  readonly claimsOf: (record: string) => Iterable<PersistentVolumeClaim>;
  readonly placeholdersOf: (record: string) => Iterable<Pod>;
  /** Hears the name of a record when it, or one of its parts, has changed. */
  onChange(listener: (record: string) => void): void;
  notSynced(): readonly string[];
  run(signal: AbortSignal): Promise<void>;
}

export function watchBroker(client: KubeClient, log: Log): BrokerState {
  function open<T extends KubeObject>(resource: Resource, labelSelector?: string): Reflector<T> {
    const selector = labelSelector === undefined ? {} : { labelSelector };
    return createReflector<T>({
      ...{ ...client, log, path: resourcePath(resource), selector },
      trim: withoutManagedFields,
    });
  }
  const instances = open<BrokerInstanceObject>('brokerinstances');
  const claims = open<PersistentVolumeClaim>('persistentvolumeclaims', instanceLabel);
  const pods = open<Pod>('pods', `${instanceLabel},${placeholderLabel}`);
  const all = { brokerinstances: instances, persistentvolumeclaims: claims, pods };
  const claimIndex = byRecord(claims);
  const podIndex = byRecord(pods);
  return {
    instances,
    view: instanceView(instances, log),
    claims,
    claimsOf: claimIndex.of,
    placeholdersOf: podIndex.of,
    onChange: (listener) => {
      instances.onChange((before, after) => listener(keyOf(after ?? before ?? {})));
      claimIndex.onChange(listener);
      podIndex.onChange(listener);
    },
    notSynced: () =>
      Object.entries(all).flatMap(([name, reflector]) => (reflector.synced ? [] : [name])),
    run: async (signal) => {
      await Promise.all(Object.values(all).map((reflector) => reflector.run(signal)));
    },
  };
}

function withoutManagedFields<T extends KubeObject>(object: T): T {
  delete object.metadata?.managedFields;
  return object;
}

/** Keeps those apart whose operation runs: of many instances these are few. */
function instanceView(instances: Reflector<BrokerInstanceObject>, log: Log): InstanceView {
  const running = new Set<string>();
  const read = (object: BrokerInstanceObject) => toStoredInstance(object);
  instances.onChange((before, after) => {
    const name = keyOf(after ?? before ?? {});
    running.delete(name);
    if (after === undefined) {
      return;
    }
    if (instanceName(after.spec.instanceId) !== name) {
      const { instanceId } = after.spec;
      log.error('a BrokerInstance is not named after its id, and left alone', { name, instanceId });
    } else if (isRunning(read(after).instance)) {
      running.add(name);
    }
  });
  const get: InstanceView['get'] = (name) => {
    const object = instances.get(name);
    return object && instanceName(object.spec.instanceId) === name ? read(object) : undefined;
  };
  return {
    get,
    *running() {
      for (const name of running) {
        const stored = get(name);
        if (stored) {
          yield [name, stored];
        }
      }
    },
  };
}

interface RecordIndex<T> {
  readonly of: (record: string) => Iterable<T>;
  readonly onChange: (listener: (record: string) => void) => void;
}

function byRecord<T extends KubeObject>(reflector: Reflector<T>): RecordIndex<T> {
  const index = new Map<string, Map<string, T>>();
  const listeners: ((record: string) => void)[] = [];
  const recordOf = (object: T | undefined): string | undefined =>
    object?.metadata?.labels?.[instanceLabel];
  const drop = (object: T, record: string): void => {
    index.get(record)?.delete(keyOf(object));
    if (index.get(record)?.size === 0) {
      index.delete(record);
    }
  };
  reflector.onChange((before, after) => {
    const [from, to] = [recordOf(before), recordOf(after)];
    if (before && from !== undefined) {
      drop(before, from);
    }
    if (after && to !== undefined) {
      index.set(to, (index.get(to) ?? new Map<string, T>()).set(keyOf(after), after));
    }
    for (const record of new Set([from, to])) {
      if (record !== undefined) {
        listeners.forEach((listener) => listener(record));
      }
    }
  });
  return {
    of: (record) => index.get(record)?.values() ?? [],
    onChange: (listener) => void listeners.push(listener),
  };
}
