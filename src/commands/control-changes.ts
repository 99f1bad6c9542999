import type { ClusterState } from '../kube/cluster-state.ts';
import { keyOf } from '../kube/objects.ts';
import { selectedNodeAnnotation } from '../model/names.ts';
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

/** Only a node with more to give than before is worth waking anybody. */
export function listenToRoom({ state, ledger, nodes }: ControlParts, enqueue: Enqueue): void {
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
      enqueue('wake', node);
    }
  });
  // A report may reach us before the StoragePool that it speaks of.
  state.pools.onChange((before, after) => {
    const pool = keyOf(after ?? before ?? {});
    for (const node of nodes.names()) {
      if (hasGrown(node, pool)) {
        enqueue('wake', node);
      }
    }
  });
  nodes.onReturn((node) => enqueue('wake', node));
}
