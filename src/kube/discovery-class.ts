import type { VolumeClass } from '../model/claim.ts';
import { discoveryBackend } from '../model/discovery.ts';
import { err } from '../model/result.ts';
import type { StoragePoolObject } from './custom-objects.ts';
import type { Reflector } from './reflector.ts';

/** A class that asks for new volumes of a pool whose volumes are found gets none, and hears why. */
export function ofCuttingPool(
  found: VolumeClass,
  pools: Pick<Reflector<StoragePoolObject>, 'get'>,
): VolumeClass {
  const pool = found.parameters.ok ? found.parameters.value.pool : '';
  const why = `pool is "${pool}": a pool of backend ${discoveryBackend} makes no volumes; its claims name its own discovery.storageClassName`;
  return pools.get(pool)?.spec.backend === discoveryBackend
    ? { ...found, parameters: err(why) }
    : found;
}
