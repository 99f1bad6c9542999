import { createHash } from 'node:crypto';
import type { Instance, Operation, Progress, Wants } from '../broker/instance.ts';
import { bytes } from '../model/bytes.ts';
import { apiVersion, brokerFinalizer } from '../model/names.ts';
import type { InstanceStore, StoredInstance } from '../usecases/broker-ports.ts';
import { isConflict, type KubeApi } from './api.ts';
import { readLive } from './live.ts';
import { dropFinalizer, unlessChanged } from './local-volumes.ts';
import type { ObjectMeta } from './objects.ts';
import { resourcePath } from './paths.ts';

/** A BrokerInstance as it stands in JSON. */
export interface BrokerInstanceObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta & { name: string };
  spec: Omit<Instance, 'id' | 'progress'> & { readonly instanceId: string };
  status?: Partial<Progress>;
}

/** Ids of instances may hold anything, so an object is named after the hash of one. */
export function instanceName(id: string): string {
  return `osb-${createHash('sha256').update(id).digest('hex').slice(0, 40)}`;
}

export function toStoredInstance({ metadata, spec, status }: BrokerInstanceObject): StoredInstance {
  const { instanceId: id, ...asked } = spec;
  const uid = metadata.uid ?? '';
  const instance: Instance = {
    ...{ id, ...asked },
    wants: readWants(spec.wants),
    operation: readOperation(spec.operation),
    progress: readProgress(status, spec.operation),
  };
  return {
    instance:
      metadata.deletionTimestamp === undefined ? instance : deletedByHand(metadata, instance),
    uid,
    version: metadata.resourceVersion ?? '',
  };
}

function readWants(wants: Wants): Wants {
  return { ...wants, bytes: bytes(wants.bytes) };
}

function readOperation({ before, ...operation }: Operation): Operation {
  return before === undefined
    ? operation
    : { ...operation, before: { ...before, wants: readWants(before.wants) } };
}

/** What the status does not say yet is as at the beginning of the operation. */
function readProgress(status: Partial<Progress> = {}, { id, startedAt }: Operation): Progress {
  return {
    ...{ operationId: id, state: 'in progress', description: 'waiting to begin' },
    ...{ usable: false, repeatable: true, since: startedAt, volumes: [] },
    ...status,
  };
}

/**
 * Deleting the object is one more way to deprovision, which nobody can refuse any more: it waits
 * for the pods that use the volumes.
 */
function deletedByHand({ uid, deletionTimestamp }: ObjectMeta, instance: Instance): Instance {
  const { operation, progress, wants } = instance;
  const isLeaving =
    operation.kind === 'deprovision' &&
    !(progress.operationId === operation.id && progress.state === 'failed');
  if (isLeaving) {
    return instance;
  }
  const startedAt = deletionTimestamp ?? '';
  return {
    ...instance,
    wants: { ...wants, inUse: 'wait' },
    operation: { id: `deletion-${uid}`, kind: 'deprovision', startedAt },
  };
}

function path(name?: string, subresource?: 'status'): string {
  return resourcePath('brokerinstances', { name, ...(subresource && { subresource }) });
}

/** The instances as BrokerInstance objects. Every write names the version that was read. */
export function instanceStore(api: KubeApi): InstanceStore {
  const write = (at: string, { version }: StoredInstance, field: string, value: object) =>
    writtenUnlessChanged(async () => {
      // The whole field is put in place: a merge would keep what is no longer there.
      const lock = { op: 'replace', path: '/metadata/resourceVersion', value: version };
      await api.patch(at, 'json', [lock, { op: 'add', path: field, value }]);
    });
  return {
    get: async (id) => {
      const object = await readLive<BrokerInstanceObject>(api, path(instanceName(id)));
      return object && onlyOf(id, toStoredInstance(object));
    },
    list: () => listInstances(api),
    create: async (instance) => {
      const metadata = { name: instanceName(instance.id), finalizers: [brokerFinalizer] };
      const spec = { instanceId: instance.id, ...asked(instance) };
      try {
        await api.create(path(), { apiVersion, kind: 'BrokerInstance', metadata, spec });
        return 'created';
      } catch (error) {
        if (isConflict(error)) {
          return 'exists';
        }
        throw error;
      }
    },
    ask: (read, next) => {
      const { id } = read.instance;
      const spec = { instanceId: id, ...asked({ ...next, id, progress: read.instance.progress }) };
      return write(path(instanceName(id)), read, '/spec', spec);
    },
    tell: (read, progress) =>
      write(path(instanceName(read.instance.id), 'status'), read, '/status', progress),
    remove: ({ instance, uid, version: resourceVersion }) =>
      writtenUnlessChanged(async () => {
        const at = path(instanceName(instance.id));
        await api.delete(at, { uid, resourceVersion });
        await dropFinalizer(api, at, uid, brokerFinalizer);
      }),
  };
}

function asked({ id: _id, progress: _progress, ...rest }: Instance): object {
  return rest;
}

/** Two ids never have the same hash, but an object may be made by hand. */
function onlyOf(id: string, stored: StoredInstance): StoredInstance {
  if (stored.instance.id !== id) {
    throw new Error(
      `BrokerInstance ${instanceName(id)} has spec.instanceId "${stored.instance.id}": "${id}" is the only one allowed under this name`,
    );
  }
  return stored;
}

async function writtenUnlessChanged(work: () => Promise<void>): Promise<'written' | 'changed'> {
  return (await unlessChanged(work)) ? 'written' : 'changed';
}

interface Page {
  readonly metadata: { readonly continue?: string };
  readonly items: readonly BrokerInstanceObject[];
}

const pageSize = 500;

async function listInstances(api: KubeApi): Promise<readonly StoredInstance[]> {
  const found: StoredInstance[] = [];
  let token: string | undefined;
  do {
    const query = { limit: pageSize, continue: token };
    const page: Page = await api.get<Page>(path(), query);
    found.push(...page.items.map(toStoredInstance));
    token = page.metadata.continue === '' ? undefined : page.metadata.continue;
  } while (token !== undefined);
  return found;
}
