import {
  claimOf,
  placeholderOf,
  type PlaceholderRules,
  type Recorded,
} from '../broker/manifests.ts';
import { setName, type ClaimPart, type PlaceholderPart } from '../broker/parts.ts';
import { bytes } from '../model/bytes.ts';
import {
  askedAtAnnotation,
  deleteAfterAnnotation,
  instanceLabel,
  instanceUidAnnotation,
  placeholderLabel,
} from '../model/names.ts';
import { formatQuantity } from '../model/quantity.ts';
import type { PartStore, Refusal } from '../usecases/broker-ports.ts';
import type { Now } from '../usecases/ports.ts';
import { ApiError, deleteOnly, type KubeApi } from './api.ts';
import type { BrokerState } from './broker-view.ts';
import { readCapacity } from './claims.ts';
import { readLive } from './live.ts';
import type { KubeEvent, KubeObject, PersistentVolumeClaim, Pod } from './objects.ts';
import { resourcePath, type Resource } from './paths.ts';

export interface PartPorts {
  readonly api: KubeApi;
  readonly state: Pick<BrokerState, 'claimsOf' | 'placeholdersOf'>;
  readonly rules: PlaceholderRules;
  readonly now: Now;
}

interface Listed<T> {
  readonly items: readonly T[];
}

export function partStore({ api, state, rules, now }: PartPorts): PartStore {
  const claimPath = (namespace: string, name?: string): string =>
    resourcePath('persistentvolumeclaims', { namespace, name });
  const podPath = (namespace: string, name?: string): string =>
    resourcePath('pods', { namespace, name });
  const listed = async <T extends KubeObject>(
    resource: Resource,
    { instance, name, uid }: Recorded,
    labels: readonly string[],
  ): Promise<readonly T[]> => {
    const labelSelector = [`${instanceLabel}=${name}`, ...labels].join(',');
    const path = resourcePath(resource, { namespace: instance.namespace });
    const { items } = await api.get<Listed<T>>(path, { labelSelector });
    return items.filter((object) => isOf(object, uid));
  };
  return {
    known: (record, uid) => ({
      claims: [...state.claimsOf(record)].filter((one) => isOf(one, uid)).map(toClaimPart),
      placeholders: [...state.placeholdersOf(record)]
        .filter((one) => isOf(one, uid))
        .map(toPlaceholderPart),
    }),
    read: async (record) => {
      const [claims, pods] = await Promise.all([
        listed<PersistentVolumeClaim>('persistentvolumeclaims', record, []),
        listed<Pod>('pods', record, [placeholderLabel]),
      ]);
      return { claims: claims.map(toClaimPart), placeholders: pods.map(toPlaceholderPart) };
    },
    makeClaim: (record, index) =>
      make(api, claimPath(record.instance.namespace), claimOf(record, index), record.uid),
    makePlaceholder: (record, index) => {
      const askedAt = new Date(now()).toISOString();
      const pod = placeholderOf(record, index, { rules, askedAt });
      return make(api, podPath(record.instance.namespace), pod, record.uid);
    },
    removeClaim: (namespace, { name, uid }) => deleteOnly(api, claimPath(namespace, name), { uid }),
    removePlaceholder: (namespace, { name, uid }) =>
      deleteOnly(api, podPath(namespace, name), { uid, gracePeriodSeconds: 0 }),
    free: async (namespace, { name, uid }) => {
      const metadata = { uid, ownerReferences: null };
      await api.patch(claimPath(namespace, name), 'merge', { metadata });
    },
    resize: (namespace, { name, uid }, size) =>
      unlessRefused(async () => {
        const spec = { resources: { requests: { storage: formatQuantity(size) } } };
        await api.patch(claimPath(namespace, name), 'merge', { metadata: { uid }, spec });
        return undefined;
      }),
    retain: async (namespace, { name, uid }, until) => {
      const annotations = { [deleteAfterAnnotation]: until };
      await api.patch(claimPath(namespace, name), 'merge', { metadata: { uid, annotations } });
    },
    usersOf: async (namespace, claims) => {
      const { items } = await api.get<Listed<Pod>>(podPath(namespace));
      return items
        .filter((pod) => usesOneOf(pod, claims))
        .map(({ metadata }) => metadata?.name ?? '');
    },
    told: async ({ namespace, uid, reason }) => {
      const fieldSelector = `involvedObject.uid=${uid},reason=${reason}`;
      const path = resourcePath('events', { namespace });
      const { items } = await api.get<Listed<KubeEvent>>(path, { fieldSelector });
      return items.at(-1)?.message ?? '';
    },
  };
}

/** A copy of a part, with all its marks and another name, is somebody else's. */
function isOf({ metadata }: KubeObject, uid: string): boolean {
  const isNamed = metadata?.name?.includes(setName(uid)) === true;
  return isNamed && metadata.annotations?.[instanceUidAnnotation] === uid;
}

/** Makes an object of the instance, or finds it made. */
async function make(
  api: KubeApi,
  path: string,
  object: KubeObject,
  uid: string,
): Promise<Refusal | undefined> {
  return unlessRefused(async () => {
    try {
      await api.create(path, object);
    } catch (error) {
      if (!(error instanceof ApiError && error.reason === 'AlreadyExists')) {
        throw error;
      }
      const { name = '' } = object.metadata ?? {};
      const there = await readLive<KubeObject>(api, `${path}/${name}`);
      if (there && !isOf(there, uid)) {
        return { refused: `${object.kind} ${name} is there already, and not of this instance` };
      }
    }
    return undefined;
  });
}

/** Quota, admission, a missing namespace or priority class: no repetition will change them. */
const refusals = [400, 403, 404, 422];

async function unlessRefused(
  work: () => Promise<Refusal | undefined>,
): Promise<Refusal | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ApiError && refusals.includes(error.status)) {
      return { refused: error.message };
    }
    throw error;
  }
}

function toClaimPart({ metadata = {}, spec, status }: PersistentVolumeClaim): ClaimPart {
  return {
    name: metadata.name ?? '',
    uid: metadata.uid ?? '',
    bound: status?.phase === 'Bound',
    lost: status?.phase === 'Lost',
    deleting: metadata.deletionTimestamp !== undefined,
    owned: (metadata.ownerReferences ?? []).length > 0,
    requested: readCapacity(spec?.resources?.requests) ?? bytes(0),
    capacity: readCapacity(status?.capacity),
  };
}

function toPlaceholderPart(pod: Pod): PlaceholderPart {
  const { name = '', uid = '', annotations = {} } = pod.metadata ?? {};
  const askedAt = Date.parse(annotations[askedAtAnnotation] ?? '');
  const refusal = pod.status?.conditions?.find(
    ({ type, status, reason }) =>
      type === 'PodScheduled' && status === 'False' && reason === 'Unschedulable',
  );
  return {
    ...{ name, uid, message: refusal?.message ?? '' },
    standing: standingOf(pod, refusal !== undefined),
    // One that cannot be read was asked for long ago: it is asked for again.
    askedAt: Number.isNaN(askedAt) ? 0 : askedAt,
    refusedAt: Date.parse(refusal?.lastTransitionTime ?? '') || 0,
  };
}

function standingOf(
  { metadata, spec, status }: Pod,
  isRefused: boolean,
): PlaceholderPart['standing'] {
  const isEnded = status?.phase === 'Failed' || status?.phase === 'Succeeded';
  if (isEnded || metadata?.deletionTimestamp !== undefined) {
    return 'ended';
  }
  if (spec?.nodeName) {
    return 'placed';
  }
  return isRefused ? 'refused' : 'asking';
}

function usesOneOf({ metadata, spec, status }: Pod, claims: readonly string[]): boolean {
  const isOver = status?.phase === 'Failed' || status?.phase === 'Succeeded';
  const isPlaceholder = metadata?.labels?.[placeholderLabel] !== undefined;
  const names = spec?.volumes?.map((one) => one.persistentVolumeClaim?.claimName ?? '') ?? [];
  return !isOver && !isPlaceholder && names.some((name) => claims.includes(name));
}
