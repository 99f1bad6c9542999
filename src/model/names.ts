/** The names other people see. They are a contract: see docs/design.md. */

export const apiGroup = 'berth.dev';
export const apiVersion = 'berth.dev/v1alpha1';

/** `StorageClass.provisioner`, and the value of `pv.kubernetes.io/provisioned-by`. */
export const provisioner = 'local.berth.dev';
export const provisionedByAnnotation = 'pv.kubernetes.io/provisioned-by';
export const selectedNodeAnnotation = 'volume.kubernetes.io/selected-node';

export const schedulerName = 'berth-scheduler';
/** Routes a pod to the extender where the cluster's own kube-scheduler is wired to it. */
export const routingResource = 'berth.dev/volume';

/** Held until the agent has erased and removed what is on disk. */
export const agentFinalizer = 'berth.dev/agent';
/**
 * Held until control has seen live that nobody can use the data any more. The agent destroys
 * nothing while this one stands.
 */
export const controlFinalizer = 'berth.dev/control';

/** On claims and placeholder pods of a service instance: the name of its BrokerInstance. */
export const instanceLabel = 'berth.dev/instance';
/** On the same: the uid of the BrokerInstance; tells them from those of an earlier one of that name. */
export const instanceUidAnnotation = 'berth.dev/instance-uid';
/** On the same, for people: the id that the platform gave the instance. */
export const instanceIdAnnotation = 'berth.dev/instance-id';
/** On placeholder pods. */
export const placeholderLabel = 'berth.dev/placeholder';
/** On placeholder pods: when the scheduler was asked for a node by them; RFC 3339. */
export const askedAtAnnotation = 'berth.dev/asked-at';
/** On claims that outlive their service instance: when they are deleted; RFC 3339. */
export const deleteAfterAnnotation = 'berth.dev/delete-after';
/** On BrokerInstances: held until nothing of the instance is left. */
export const brokerFinalizer = 'berth.dev/broker';

/** Set by kubelet, and what the node affinity of a Local PersistentVolume names. */
export const hostnameLabel = 'kubernetes.io/hostname';

/** On LocalVolumes and node Leases: the node, or its hash (see `labelValue`). */
export const nodeLabel = 'berth.dev/node';
/** On a waiting pod: changed to make an old scheduler look at the pod again. */
export const wakeAnnotation = 'berth.dev/wake';

/** On LocalVolumes: when control first saw that the node is lost; RFC 3339. */
export const nodeLostSinceAnnotation = 'berth.dev/node-lost-since';
/** On LocalVolumes: when control first saw its disk failing, where the class waits for that; RFC 3339. */
export const diskFailingSinceAnnotation = 'berth.dev/disk-failing-since';
/** On PersistentVolumes: `suspect` or `failing`, and why, while something is wrong with the disk. */
export const healthAnnotation = 'berth.dev/health';
/** On LocalVolumes: `true` once its claim is taken away because node or disk stayed lost. */
export const givenUpAnnotation = 'berth.dev/given-up';
/** On claims: the orphan that it is made for, so that it has the size of that. */
export const adoptsAnnotation = 'berth.dev/adopts';

/** `pv.kubernetes.io/provisioned-by` of PersistentVolumes that were found, not cut. */
export const discoverer = 'discovery.berth.dev';
/** On PersistentVolumes of discovery pools: what the medium is known by, and its node. */
export const mediumAnnotation = 'berth.dev/medium';
export const mediumNodeAnnotation = 'berth.dev/medium-node';
/** On PersistentVolumes of discovery pools: the StoragePool. */
export const poolNameLabel = 'berth.dev/pool';

const capacityPrefix = 'capacity.berth.dev/';
const poolPrefix = 'pool.berth.dev/';

export function capacityAnnotation(pool: string): string {
  return capacityPrefix + pool;
}

export function poolLabel(pool: string): string {
  return poolPrefix + pool;
}

/** The pool that a capacity annotation speaks of, or nothing for other annotations. */
export function poolOfCapacityAnnotation(key: string): string | undefined {
  return key.startsWith(capacityPrefix) ? key.slice(capacityPrefix.length) : undefined;
}

/** The pool that a pool label speaks of, or nothing for other labels. */
export function poolOfLabel(key: string): string | undefined {
  return key.startsWith(poolPrefix) ? key.slice(poolPrefix.length) : undefined;
}

/** LocalVolume and PersistentVolume of a claim share this name, so a second one cannot exist. */
export function volumeName(claimUid: string): string {
  return `pvc-${claimUid}`;
}

/** A pool name is a DNS label of at most 40 characters, so every key built from it is legal. */
export const maxPoolNameLength = 40;
export const poolNamePattern = /^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$/;

/** Whether a text from outside can be a file's name: it leads nowhere else. */
export function isPathSafe(name: string): boolean {
  return /^[^/\0]+$/.test(name);
}
