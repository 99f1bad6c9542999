import type {
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
} from '../../src/kube/objects.ts';
import type { LocalVolumeObject } from '../../src/kube/custom-objects.ts';
import type { ApiServer, Stored } from './api-server.ts';

/** The objects as they are now, with their types. */
export function view(server: ApiServer) {
  return {
    pods: () => server.list<Stored & Pod>('pods'),
    claims: () => server.list<Stored & PersistentVolumeClaim>('persistentvolumeclaims'),
    persistentVolumes: () => server.list<Stored & PersistentVolume>('persistentvolumes'),
    volumes: () => server.list<Stored & LocalVolumeObject>('localvolumes'),
    nodes: () => server.list<Stored & Node>('nodes'),
    claim: (name: string) =>
      server.find<Stored & PersistentVolumeClaim>('persistentvolumeclaims', name, namespace),
    claimOf: (uid: string | undefined) =>
      server
        .list<Stored & PersistentVolumeClaim>('persistentvolumeclaims')
        .find(({ metadata }) => metadata.uid === uid),
    persistentVolume: (name: string) =>
      server.find<Stored & PersistentVolume>('persistentvolumes', name),
    volume: (name: string) => server.find<Stored & LocalVolumeObject>('localvolumes', name),
  };
}

export type View = ReturnType<typeof view>;

export const namespace = 'shop';

/** Where an object is, for calls to the API. */
export function pathOf(resource: string, name: string): string {
  const inNamespace = resource === 'pods' || resource === 'persistentvolumeclaims';
  return inNamespace
    ? `/api/v1/namespaces/${namespace}/${resource}/${name}`
    : `/api/v1/${resource}/${name}`;
}

/** The names of the claims that a pod uses, those of its ephemeral volumes too. */
export function claimNames(pod: Pod & { metadata?: { name?: string } }): readonly string[] {
  return (pod.spec?.volumes ?? []).flatMap((volume) => {
    const own = volume.ephemeral ? `${pod.metadata?.name ?? ''}-${volume.name}` : undefined;
    const name = volume.persistentVolumeClaim?.claimName ?? own;
    return name === undefined ? [] : [name];
  });
}
