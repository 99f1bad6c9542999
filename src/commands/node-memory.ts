import type { KubeClient } from '../kube/client.ts';
import type {
  LocalVolumeObject,
  StorageNodeObject,
  StoragePoolObject,
} from '../kube/custom-objects.ts';
import type { Node, ObjectMeta } from '../kube/objects.ts';
import { resourcePath } from '../kube/paths.ts';
import { createReflector, type Reflector } from '../kube/reflector.ts';
import { labelValue } from '../model/label-value.ts';
import { nodeLabel } from '../model/names.ts';
import type { Log } from '../usecases/ports.ts';

/** All objects that the agent of a node watches. */
export type NodeMemory = Readonly<{
  pools: Reflector<StoragePoolObject>;
  nodes: Reflector<Node>;
  volumes: Reflector<LocalVolumeObject>;
  storageNode: Reflector<StorageNodeObject>;
}>;

/** Nothing is read before each of them runs. */
export function nodeMemory(client: KubeClient, nodeName: string, log: Log): NodeMemory {
  const reflector = { ...client, log };
  return {
    pools: createReflector<StoragePoolObject>({ ...reflector, path: resourcePath('storagepools') }),
    nodes: createReflector<Node>({
      ...reflector,
      path: resourcePath('nodes'),
      selector: { fieldSelector: `metadata.name=${nodeName}` },
      trim: withoutBulk,
    }),
    volumes: createReflector<LocalVolumeObject>({
      ...reflector,
      path: resourcePath('localvolumes'),
      selector: { labelSelector: `${nodeLabel}=${labelValue(nodeName)}` },
    }),
    storageNode: createReflector<StorageNodeObject>({
      ...reflector,
      path: resourcePath('storagenodes'),
      selector: { fieldSelector: `metadata.name=${nodeName}` },
      trim: withoutStatus,
    }),
  };
}

/** What the agent says itself comes back to it with every report. */
function withoutStatus({ metadata, spec }: StorageNodeObject): StorageNodeObject {
  return { metadata, ...(spec && { spec }) };
}

/** A Node carries the names of all its images; neither its status nor its spec is used. */
function withoutBulk({ metadata = {} }: Node): Node {
  const { name, uid, resourceVersion, labels, annotations } = metadata;
  return { metadata: { name, uid, resourceVersion, labels, annotations } as ObjectMeta };
}
