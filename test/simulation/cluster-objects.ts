import type { LocalVolumeObject } from '../../src/kube/custom-objects.ts';
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod } from '../../src/kube/objects.ts';
import type { ApiServer, Stored } from './api-server.ts';

export const namespace = 'shop';

export type StoredPod = Stored & Pod;
export type StoredClaim = Stored & PersistentVolumeClaim;
export type StoredPersistentVolume = Stored & PersistentVolume;
export type StoredVolume = Stored & LocalVolumeObject;

/** The objects as they are now, with their types. */
export class View {
  readonly #server: ApiServer;

  constructor(server: ApiServer) {
    this.#server = server;
  }

  pods(): readonly StoredPod[] {
    return this.#server.list('pods') as readonly StoredPod[];
  }

  claims(): readonly StoredClaim[] {
    return this.#server.list('persistentvolumeclaims');
  }

  persistentVolumes(): readonly StoredPersistentVolume[] {
    return this.#server.list('persistentvolumes');
  }

  volumes(): readonly StoredVolume[] {
    return this.#server.list('localvolumes') as readonly StoredVolume[];
  }

  nodes(): readonly (Stored & Node)[] {
    return this.#server.list('nodes');
  }

  claim(name: string): StoredClaim | undefined {
    return this.#server.find('persistentvolumeclaims', name, namespace);
  }

  claimOf(uid: string | undefined): StoredClaim | undefined {
    return this.claims().find(({ metadata }) => metadata.uid === uid);
  }

  persistentVolume(name: string): StoredPersistentVolume | undefined {
    return this.#server.find('persistentvolumes', name);
  }

  volume(name: string): StoredVolume | undefined {
    return this.#server.find('localvolumes', name) as StoredVolume | undefined;
  }
}

/** Where an object is, for calls to the API. */
export function pathOf(resource: string, name: string): string {
  const inNamespace = resource === 'pods' || resource === 'persistentvolumeclaims';
  return inNamespace
    ? `/api/v1/namespaces/${namespace}/${resource}/${name}`
    : `/api/v1/${resource}/${name}`;
}

/** The names of the claims that a pod uses, those of its ephemeral volumes too. */
export function claimNames({ metadata, spec }: StoredPod): readonly string[] {
  return (spec?.volumes ?? []).flatMap((volume) => {
    const own = volume.ephemeral ? `${metadata.name}-${volume.name}` : undefined;
    const name = volume.persistentVolumeClaim?.claimName ?? own;
    return name === undefined ? [] : [name];
  });
}

export function isDeleting({ metadata }: Stored): boolean {
  return metadata.deletionTimestamp !== undefined;
}
