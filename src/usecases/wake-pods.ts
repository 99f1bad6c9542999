import type { Pod } from '../model/pod.ts';
import { fitNode, groupByPool, type PoolFit } from '../scheduling/filter.ts';
import type { Lookup, NodeReader, PodStore } from './cluster.ts';
import { resolveNeeds } from './resolve-needs.ts';

export interface WakePorts {
  readonly pods: PodStore;
  readonly lookup: Lookup;
  readonly nodes: NodeReader;
}

/**
 * Wakes the waiting pods that can profit from room that has become free on one node: the most
 * important and longest waiting first, and no more of them than the room can hold.
 *
 * Schedulers before 1.28 do not look at a refused pod again when a node's annotation changes,
 * for up to a minute; a change of the pod itself they notice at once. Newer ones need it too: the
 * end of a LocalVolume and the return of an agent change nothing that they watch.
 */
export function wakePods({ pods, lookup, nodes }: WakePorts) {
  return async (nodeName: string): Promise<undefined> => {
    const node = nodes.node(nodeName);
    if (!node) {
      return undefined;
    }
    const taken = new Map<string, number>();
    for (const pod of inOrder(pods.pending())) {
      const resolved = await resolveNeeds(pod, lookup);
      if (!resolved.ok || resolved.value.needs.volumes.length === 0) {
        continue;
      }
      const { pins, volumes } = resolved.value.needs;
      const { fit } = fitNode(pins, groupByPool(volumes), node);
      if (fit?.every((part) => leaves(part, taken))) {
        fit.forEach((part) => taken.set(part.pool, (taken.get(part.pool) ?? 0) + part.needed));
        await pods.touch(pod);
      }
    }
    return undefined;
  };
}

function leaves({ pool, room, needed }: PoolFit, taken: ReadonlyMap<string, number>): boolean {
  return needed + (taken.get(pool) ?? 0) <= room.free;
}

/** The order of the scheduler's own queue: priority first, then age. */
function inOrder(pods: Iterable<Pod>): readonly Pod[] {
  return [...pods]
    .filter((pod) => pod.nodeName === '' && !pod.deleting && pod.claims.length > 0)
    .sort((a, b) => b.priority - a.priority || a.createdAt - b.createdAt);
}
