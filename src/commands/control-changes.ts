import type { ClusterState } from '../kube/cluster-state.ts';
import type { LocalVolumeObject } from '../kube/custom-objects.ts';
import { toLocalVolume } from '../kube/local-volumes.ts';
import { keyOf, type PersistentVolumeClaim } from '../kube/objects.ts';
import { provisionedByAnnotation, provisioner, selectedNodeAnnotation } from '../model/names.ts';
import { parsePod, type PodObject } from '../model/pod.ts';
import type { ControlParts } from './control-parts.ts';

export type Enqueue = (loop: string, key: string) => void;

/**
 * A pod that has its node while a claim of it is unbound did not come by our bind verb. One that
 * has none may reach us after the node that was chosen for its claim.
 */
export function claimsToProvision(object: PodObject, { claims }: ClusterState): readonly string[] {
  const pod = parsePod(object);
  if (!pod.ok) {
    return [];
  }
  const { namespace, nodeName } = pod.value;
  const keys = pod.value.claims.map(({ name }) => `${namespace}/${name}`);
  return keys.filter((key) => {
    const { metadata, spec } = claims.get(key) ?? {};
    const isChosen = nodeName !== '' || metadata?.annotations?.[selectedNodeAnnotation];
    return isChosen && !spec?.volumeName;
  });
}

/** Whether a claim may have to grow, or was said to; of whose class it is, is seen later. */
export function mayExpand({ spec = {}, status = {} }: PersistentVolumeClaim): boolean {
  const isSettled =
    spec.resources?.requests?.['storage'] === status.capacity?.['storage'] &&
    (status.conditions ?? []).length === 0;
  return Boolean(spec.volumeName) && !isSettled;
}

/** Volumes that grow, and claims that ask for it. News of the three objects comes in any order. */
export function listenToGrowth({ state }: ControlParts, enqueue: Enqueue): void {
  state.claims.onChange((_before, after) => {
    if (after && mayExpand(after)) {
      enqueue('expand', keyOf(after));
    }
  });
  state.localVolumes.onChange((before, after) => {
    if (after && growthOf(before) !== growthOf(after)) {
      const { namespace, name } = after.spec.claimRef;
      enqueue('expand', `${namespace}/${name}`);
    }
  });
  state.persistentVolumes.onChange((before, after) => {
    const { claimRef, capacity } = after?.spec ?? {};
    if (claimRef && capacity?.['storage'] !== before?.spec?.capacity?.['storage']) {
      enqueue('expand', `${claimRef.namespace}/${claimRef.name}`);
    }
  });
}

/** What of a volume tells whether it may grow, or has. */
function growthOf(volume: LocalVolumeObject | undefined): string {
  if (volume === undefined) {
    return '';
  }
  const { published, spec, status } = toLocalVolume(volume);
  return JSON.stringify([published, spec.bytes, status.bytes, status.phase]);
}

/** Only a node with more to give than before is worth waking anybody. */
export function listenToRoom(
  { state, ledger, nodes }: ControlParts,
  onRoom: (node: string) => void,
): void {
  const free = new Map<string, number>();
  const hasGrown = (node: string, pool: string): boolean => {
    const key = `${node}/${pool}`;
    const before = free.get(key) ?? 0;
    const usable = nodes.node(node)?.pool(pool)?.healthy === true;
    const now = usable ? (ledger.room({ node, pool })?.free ?? 0) : 0;
    free.set(key, now);
    return now > before;
  };
  state.nodes.onChange((before, after) => {
    const node = keyOf(after ?? before ?? {});
    const pools = nodes.node(node)?.poolNames ?? [];
    if (pools.filter((pool) => hasGrown(node, pool)).length > 0) {
      onRoom(node);
    }
  });
  // A report may reach us before the StoragePool that it speaks of.
  state.pools.onChange((before, after) => {
    const pool = keyOf(after ?? before ?? {});
    for (const node of nodes.names()) {
      if (hasGrown(node, pool)) {
        onRoom(node);
      }
    }
  });
  state.localVolumes.onChange((before, after) => {
    const { node, pool } = (after ?? before)?.spec ?? { node: '', pool: '' };
    // A volume that grows takes room away for a moment, until the report that has counted it is here:
    // who was refused meanwhile has to hear of that.
    const isMore = hasGrown(node, pool);
    if (!after || isMore) {
      onRoom(node);
    }
  });
  nodes.onReturn(onRoom);
}

/** What the status of a StoragePool sums up. */
export function listenToPools({ state }: ControlParts, enqueue: Enqueue): void {
  state.storageNodes.onChange((before, after) => {
    const pools = [...(before?.status?.pools ?? []), ...(after?.status?.pools ?? [])];
    for (const name of new Set(pools.map((pool) => pool.name))) {
      enqueue('pool-status', name);
    }
  });
  state.pools.onChange((_before, after) => {
    if (after) {
      enqueue('pool-status', after.metadata.name);
    }
  });
}

/** What changes about volumes that are there. */
export function listenToVolumes({ state }: ControlParts, enqueue: Enqueue): void {
  state.localVolumes.onChange((before, after) => {
    const name = (after ?? before)?.metadata.name ?? '';
    enqueue('release', name);
    enqueue('node-loss', name);
    enqueue('volume-health', name);
    if (!after && before) {
      enqueue('pool-status', before.spec.pool);
    }
  });
  state.persistentVolumes.onChange((before, after) => {
    const { name = '', annotations = {} } = (after ?? before)?.metadata ?? {};
    if (annotations[provisionedByAnnotation] === provisioner) {
      enqueue('release', name);
      enqueue('volume-health', name);
    }
  });
  state.persistentVolumes.onChange((before, after) => {
    // Its claim may need a new one, if it was deleted by hand.
    const { claimRef } = before?.spec ?? {};
    if (!after && claimRef) {
      enqueue('provision-claim', `${claimRef.namespace}/${claimRef.name}`);
    }
  });
}
