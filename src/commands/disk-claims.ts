import { parseDiscoverySpec, isDiscoverySpec } from '../backends/discovery-options.ts';
import type { DiskOwners } from '../backends/shared/disk-owners.ts';
import type { StoragePoolObject } from '../kube/custom-objects.ts';
import { selectsDisk } from '../model/device-selector.ts';
import type { Disk } from '../model/disk.ts';
import type { NodePools } from '../usecases/node-pools.ts';

/** Where disks may be offered whole on any node, whichever nodes are selected now. */
export function discoveryDirectories(pools: Iterable<StoragePoolObject>): readonly string[] {
  return [...pools].flatMap(({ spec }) => {
    const parsed = isDiscoverySpec(spec) ? parseDiscoverySpec(spec) : undefined;
    return parsed?.ok ? [parsed.value.plan.directory] : [];
  });
}

/**
 * The pool of this node that cuts its volumes of the disk.
 *
 * @throws Error while one that may have it has not said which disks it has
 */
export function whoHasDisk(
  disk: Disk,
  pools: Pick<NodePools, 'list'>,
  owners: DiskOwners,
): string | undefined {
  const silent = pools
    .list()
    .find(
      ({ name, devices }) =>
        devices !== undefined && selectsDisk(devices, disk) && !owners.hasSpoken(name),
    );
  if (silent !== undefined) {
    throw new Error(`${disk.path}: pool ${silent.name} has not said yet which disks it has`);
  }
  return owners.otherThan('', disk.id);
}

/** Where pools of this node that cut volumes keep their files. */
export function directoriesOfPools(
  pools: Pick<NodePools, 'list'>,
): readonly { readonly pool: string; readonly directory: string }[] {
  return pools
    .list()
    .flatMap(({ name, directory }) => (directory === undefined ? [] : [{ pool: name, directory }]));
}
