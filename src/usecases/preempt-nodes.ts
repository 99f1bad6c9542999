import type { Pod } from '../model/pod.ts';
import { fitNode, groupByPool } from '../scheduling/filter.ts';
import type { Lookup, NodeReader } from './cluster.ts';
import { resolveNeeds } from './resolve-needs.ts';

/** @returns the nodes on which evicting those pods would let the pod run */
export type PreemptNodes = (
  pod: Pod,
  victims: ReadonlyMap<string, readonly string[]>,
) => Promise<ReadonlySet<string>>;

/**
 * Keeps the candidates of a preemption that have room for the pod's volumes as they are: an
 * evicted pod leaves its volumes behind. So does a node without victims fall: where evicting
 * nobody is said to help, it was only our refusal that the scheduler did not know of (which made
 * schedulers before 1.22 panic).
 */
export function preemptNodes(ports: { lookup: Lookup; nodes: NodeReader }): PreemptNodes {
  return async (pod, victims) => {
    const resolved = await resolveNeeds(pod, ports.lookup);
    if (!resolved.ok) {
      return new Set();
    }
    const { pins, volumes } = resolved.value.needs;
    const groups = groupByPool(volumes);
    const kept = [...victims].filter(([name, pods]) => {
      const node = ports.nodes.node(name);
      return pods.length > 0 && node && fitNode(pins, groups, node).fit;
    });
    return new Set(kept.map(([name]) => name));
  };
}
