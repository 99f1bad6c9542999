import type {
  CoreV1Event,
  V1Lease,
  V1Node,
  V1ObjectMeta,
  V1PersistentVolume,
  V1PersistentVolumeClaim,
  V1Pod,
  V1StorageClass,
} from '@kubernetes/client-node';

/**
 * An API object as it stands in JSON: the library's types speak of `Date`, the wire of text.
 */
export type Json<T> = T extends Date
  ? string
  : T extends (infer U)[]
    ? Json<U>[]
    : T extends object
      ? { [K in keyof T]: Json<T[K]> }
      : T;

export type ObjectMeta = Json<V1ObjectMeta>;

/** What every object has. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata?: ObjectMeta;
}

export type Pod = Json<V1Pod>;
export type Node = Json<V1Node>;
export type PersistentVolume = Json<V1PersistentVolume>;
export type PersistentVolumeClaim = Json<V1PersistentVolumeClaim>;
export type StorageClass = Json<V1StorageClass>;
export type Lease = Json<V1Lease>;
export type KubeEvent = Json<CoreV1Event>;

/** `namespace/name`, or the name alone for a cluster-wide object. */
export function keyOf(object: KubeObject): string {
  const { namespace, name = '' } = object.metadata ?? {};
  return namespace === undefined ? name : `${namespace}/${name}`;
}
