import type { NodeBoard, ShownNode } from '../usecases/node-ports.ts';
import type { KubeApi } from './api.ts';
import type { Node } from './objects.ts';
import { resourcePath } from './paths.ts';
import type { Reflector } from './reflector.ts';

/** This node's own Node object: read from memory, written by merging our own keys into it. */
export function nodeBoard(api: KubeApi, memory: Reflector<Node>, name: string): NodeBoard {
  // Until the watch has caught up with our own write, memory is older than what we know.
  let written: { readonly over: Node | undefined; readonly node: Node } | undefined;

  function current(): Node | undefined {
    const known = memory.get(name);
    return written !== undefined && written.over === known ? written.node : known;
  }

  return {
    shown: () => {
      const node = current();
      return node && toShownNode(node);
    },
    publish: async (change) => {
      const over = memory.get(name);
      const path = resourcePath('nodes', { name });
      written = { over, node: await api.patch<Node>(path, 'merge', { metadata: change }) };
    },
  };
}

export function toShownNode({ metadata = {} }: Node): ShownNode {
  return { labels: metadata.labels ?? {}, annotations: metadata.annotations ?? {} };
}
