import { toShownNode } from '../kube/node-board.ts';
import { isNewsForAgent } from '../kube/node-volumes.ts';
import type { Node } from '../kube/objects.ts';
import { poolOfCapacityAnnotation } from '../model/names.ts';
import type { NodeParts } from './node-parts.ts';

/** Which change of an object means work for the agent. */
export function listenToCluster(
  { memory, refreshPools }: NodeParts,
  { changed, lookAt }: { readonly changed: () => void; readonly lookAt: (volume: string) => void },
): void {
  const poolsChanged = (): void => {
    refreshPools();
    changed();
  };
  memory.pools.onChange(poolsChanged);
  memory.nodes.onChange((before, after) => {
    if (facts(before) !== facts(after)) {
      poolsChanged();
    }
  });
  memory.volumes.onChange((before, after) => {
    if (isNewsForAgent(before, after)) {
      lookAt((after ?? before)?.metadata.name ?? '');
    }
    // Should its disk be left, it is an orphan from now on.
    if (after === undefined) {
      changed();
    }
  });
}

/** All that the agent reads of its Node, as one text. */
function facts(node: Node | undefined): string {
  const { labels, annotations } = toShownNode(node ?? {});
  const own = Object.entries(annotations).filter(([key]) => poolOfCapacityAnnotation(key));
  return JSON.stringify([node !== undefined, labels, own]);
}
