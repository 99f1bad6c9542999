import type { PoolDeclaration } from '../usecases/node-pools.ts';
import type { StoragePoolObject } from './custom-objects.ts';

/** A StoragePool as its agents see it; what its spec means is for the backends to say. */
export function toPoolDeclaration({ metadata, spec }: StoragePoolObject): PoolDeclaration {
  return { name: metadata.name, nodeSelector: spec.nodeSelector ?? {}, spec };
}
