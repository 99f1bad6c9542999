import type { Pod } from '../model/pod.ts';
import { fitNode, groupByPool } from '../scheduling/filter.ts';
import { scoreFits } from '../scheduling/score.ts';
import type { Lookup, NodeReader } from './cluster.ts';
import { resolveNeeds } from './resolve-needs.ts';

export interface NodeScore {
  readonly node: string;
  /** 0..10 */
  readonly score: number;
}

export type PrioritizeNodes = (
  pod: Pod,
  nodeNames: readonly string[],
) => Promise<readonly NodeScore[]>;

/**
 * Scores nodes by the policies of the pod's classes. A node that no longer fits gets 0; so does
 * every node when nothing new is to be placed, and the other plugins decide.
 */
export function prioritizeNodes(ports: { lookup: Lookup; nodes: NodeReader }): PrioritizeNodes {
  return async (pod, nodeNames) => {
    const resolved = await resolveNeeds(pod, ports.lookup);
    if (!resolved.ok || resolved.value.needs.volumes.length === 0) {
      return nodeNames.map((node) => ({ node, score: 0 }));
    }
    const { pins, volumes } = resolved.value.needs;
    const groups = groupByPool(volumes);
    const fits = nodeNames.map((name) => {
      const node = ports.nodes.node(name);
      return node && fitNode(pins, groups, node).fit;
    });
    const scores = scoreFits(fits.filter((fit) => fit !== undefined)).values();
    return nodeNames.map((node, i) => ({
      node,
      score: fits[i] === undefined ? 0 : (scores.next().value ?? 0),
    }));
  };
}
