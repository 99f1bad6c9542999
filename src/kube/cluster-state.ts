import { bytes, minusBytes, sumBytes } from '../model/bytes.ts';
import { deviceBytesFor } from '../model/encryption.ts';
import { nodeLabel, poolOfCapacityAnnotation, volumeName } from '../model/names.ts';
import { isForCordon } from '../model/pod.ts';
import type { LedgerVolume, Ledger } from '../scheduling/ledger.ts';
import type { Lookup } from '../usecases/cluster.ts';
import type { Log } from '../usecases/ports.ts';
import type { KubeApi } from './api.ts';
import { defaultClass, toClaim, toVolumeClass } from './claims.ts';
import type { KubeClient } from './client.ts';
import type { LocalVolumeObject, StorageNodeObject, StoragePoolObject } from './custom-objects.ts';
import { ofCuttingPool } from './discovery-class.ts';
import { readLive } from './live.ts';
import { toLocalVolume } from './local-volumes.ts';
import type { NodeIndex, PoolRules } from './node-index.ts';
import { trimmedState } from './node-state.ts';
import type {
  KubeObject,
  Lease,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  StorageClass,
} from './objects.ts';
import { resourcePath, type Resource } from './paths.ts';
import { toPersistentVolume } from './persistent-volumes.ts';
import { createReflector, type Reflector, type ReflectorOptions } from './reflector.ts';

/** Everything that control watches. */
export interface ClusterState {
  readonly nodes: Reflector<Node>;
  readonly leases: Reflector<Lease>;
  readonly pods: Reflector<Pod>;
  readonly claims: Reflector<PersistentVolumeClaim>;
  readonly persistentVolumes: Reflector<PersistentVolume>;
  readonly classes: Reflector<StorageClass>;
  readonly localVolumes: Reflector<LocalVolumeObject>;
  readonly pools: Reflector<StoragePoolObject>;
  readonly storageNodes: Reflector<StorageNodeObject>;
  /** The collections that have not been read yet. */
  notSynced(): readonly string[];
  /** Resolves, and never rejects, once `signal` has fired. */
  run(signal: AbortSignal): Promise<void>;
}

type Selector = NonNullable<ReflectorOptions<KubeObject>['selector']>;

/** Watches the cluster. Big objects are cut down to what is used: there may be thousands. */
export function watchCluster(client: KubeClient, log: Log, namespace: string): ClusterState {
  function open<T extends KubeObject>(
    resource: Resource,
    trim: (object: T) => T = withoutManagedFields,
    selector: Selector = {},
    inNamespace?: string,
  ): Reflector<T> {
    const path = resourcePath(resource, { namespace: inNamespace });
    return createReflector<T>({ ...client, log, path, selector, trim });
  }
  const state = {
    nodes: open<Node>('nodes', trimNode),
    leases: open<Lease>('leases', undefined, { labelSelector: nodeLabel }, namespace),
    pods: open<Pod>('pods', trimPod, { fieldSelector: 'status.phase=Pending' }),
    claims: open<PersistentVolumeClaim>('persistentvolumeclaims'),
    persistentVolumes: open<PersistentVolume>('persistentvolumes'),
    classes: open<StorageClass>('storageclasses'),
    localVolumes: open<LocalVolumeObject>('localvolumes'),
    pools: open<StoragePoolObject>('storagepools'),
    storageNodes: open<StorageNodeObject>('storagenodes', withoutDevices),
  };
  const all = Object.entries(state);
  return {
    ...state,
    notSynced: () => all.filter(([, reflector]) => !reflector.synced).map(([name]) => name),
    run: async (signal) => {
      await Promise.all(all.map(([, reflector]) => reflector.run(signal)));
    },
  };
}

function withoutManagedFields<T extends KubeObject>(object: T): T {
  if (object.metadata?.managedFields) {
    delete object.metadata.managedFields;
  }
  return object;
}

/** The disks of a node are for people, and for its agent. */
function withoutDevices(object: StorageNodeObject): StorageNodeObject {
  const { status } = object;
  return withoutManagedFields({
    ...object,
    ...(status && { status: { ...status, devices: [] } }),
  });
}

function trimNode(node: Node): Node {
  const { metadata = {} } = node;
  const { name, uid, resourceVersion, labels, annotations = {} } = metadata;
  const ours = Object.entries(annotations).filter(
    ([key]) => poolOfCapacityAnnotation(key) !== undefined,
  );
  return {
    metadata: { name, uid, resourceVersion, labels, annotations: Object.fromEntries(ours) },
    ...trimmedState(node),
  } as Node;
}

function trimPod({ metadata = {}, spec, status }: Pod): Pod {
  const { name, namespace, uid, resourceVersion, creationTimestamp, deletionTimestamp } = metadata;
  const { schedulerName, nodeName, priority, volumes = [] } = spec ?? { containers: [] };
  const tolerations = spec?.tolerations?.filter(isForCordon);
  const claims = volumes.filter((one) => one.persistentVolumeClaim ?? one.ephemeral);
  return {
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp, deletionTimestamp },
    spec: {
      ...{ schedulerName, nodeName, priority, volumes: claims },
      ...(tolerations?.length ? { tolerations } : {}),
    },
    status: { conditions: status?.conditions?.filter(({ type }) => type === 'PodScheduled') },
  } as unknown as Pod;
}

/** Keeps ledger and node index in step with what is watched. */
export function feedLedger(state: ClusterState, ledger: Ledger, nodes: NodeIndex): void {
  state.nodes.onChange((before, after) => {
    if (after) {
      nodes.putNode(after);
    } else {
      nodes.removeNode(before?.metadata?.name ?? '');
    }
  });
  state.leases.onChange((before, after) => {
    if (after) {
      nodes.putHeartbeat(after);
    } else if (before) {
      nodes.removeHeartbeat(before);
    }
  });
  state.pools.onChange((before, after) => {
    const pool = (after ?? before)?.metadata.name;
    for (const object of state.localVolumes.list()) {
      if (object.spec.pool === pool && hangsOnRule(object)) {
        ledger.setVolume(toLedgerVolume(object, nodes));
      }
    }
  });
  state.localVolumes.onChange((before, after) => {
    if (after) {
      ledger.setVolume(toLedgerVolume(after, nodes));
    } else {
      ledger.removeVolume(before?.metadata.name ?? '');
    }
  });
}

/** What a volume occupies, or grows to, that its agent has not measured yet hangs on its StoragePool. */
function hangsOnRule({ spec, status = {} }: LocalVolumeObject): boolean {
  return status.allocatedBytes === undefined || (status.bytes ?? 0) < spec.bytes;
}

function toLedgerVolume(object: LocalVolumeObject, nodes: NodeIndex): LedgerVolume {
  const { spec, status = {} } = object;
  const { node, pool } = spec;
  const promised = nodes.allocatedFor(pool)(deviceBytesFor({ ...spec, bytes: bytes(spec.bytes) }));
  const made = bytes(status.allocatedBytes ?? promised);
  const isGrowing = status.bytes !== undefined && status.bytes < spec.bytes;
  const growth = isGrowing ? minusBytes(promised, made) : bytes(0);
  const name = object.metadata.name;
  // What is adopted lay in the pool before, and every report has counted it.
  const seenIn = status.generation ?? (spec.adopts === undefined ? undefined : 0);
  const claimUid = spec.claimRef.uid;
  return { name, node, pool, claimUid, allocated: sumBytes([made, growth]), growth, seenIn };
}

/**
 * Looks objects up in memory, and live where memory does not have them: a pod may reach the
 * scheduler before its claim has reached our watch. With `liveClaims`, claims are always read live.
 */
export function clusterLookup(
  state: ClusterState,
  api: KubeApi,
  poolRules: PoolRules,
  liveClaims = false,
): Lookup {
  return {
    claim: async (namespace, name) => {
      const known = liveClaims ? undefined : state.claims.get(`${namespace}/${name}`);
      const path = resourcePath('persistentvolumeclaims', { namespace, name });
      const object = known ?? (await readLive<PersistentVolumeClaim>(api, path));
      if (!object) {
        return undefined;
      }
      const claim = toClaim(object);
      const className = claim.className ?? defaultClass(state.classes.list())?.metadata?.name;
      return { ...claim, className };
    },
    volumeClass: async (name) => {
      // An empty name asks for no class at all, not for the default one.
      if (name === '') {
        return undefined;
      }
      if (name === undefined) {
        const object = defaultClass(state.classes.list());
        return object && ofCuttingPool(toVolumeClass(object), state.pools);
      }
      const path = resourcePath('storageclasses', { name });
      const object = state.classes.get(name) ?? (await readLive<StorageClass>(api, path));
      return object && ofCuttingPool(toVolumeClass(object), state.pools);
    },
    persistentVolume: async (name) => {
      const path = resourcePath('persistentvolumes', { name });
      const object =
        state.persistentVolumes.get(name) ?? (await readLive<PersistentVolume>(api, path));
      return object && toPersistentVolume(object);
    },
    localVolumeOf: (claimUid) => {
      const object = state.localVolumes.get(volumeName(claimUid));
      return object && toLocalVolume(object);
    },
    volumeForm: (pool) => poolRules(pool)?.gives,
  };
}
