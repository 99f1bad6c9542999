import type { ClusterState } from '../kube/cluster-state.ts';
import { toNodeState } from '../kube/node-state.ts';
import { keyOf, type Node } from '../kube/objects.ts';

/** Names the volumes of each node that comes, goes, or changes its readiness: no other news is theirs. */
export function listenToNodes(
  { nodes, localVolumes }: ClusterState,
  news: (volume: string) => void,
): void {
  nodes.onChange((before, after) => {
    if (readinessOf(before) === readinessOf(after)) {
      return;
    }
    const name = keyOf(after ?? before ?? {});
    for (const { metadata, spec } of localVolumes.list()) {
      if (spec.node === name) {
        news(metadata.name);
      }
    }
  });
}

function readinessOf(node: Node | undefined): string | undefined {
  return node && (toNodeState(node).ready ?? 'not said');
}
