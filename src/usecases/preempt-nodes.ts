import type { Pod } from '../model/pod.ts';
import type { LocalVolume } from '../model/volume.ts';
import { fitNode, groupByPool, type NeedsByPool, type NodeFacts } from '../scheduling/filter.ts';
import type { PodNeeds } from '../scheduling/needs.ts';
import type { NodeReader, VolumeStore } from './cluster.ts';
import { withFreedSpace, type FilledNode, type FreedSpacePorts } from './freed-space.ts';
import { resolveNeeds } from './resolve-needs.ts';

export interface PreemptPorts extends FreedSpacePorts {
  readonly nodes: NodeReader;
  readonly volumes: Pick<VolumeStore, 'list'>;
}

/** @returns the nodes on which evicting those pods would let the pod run */
export type PreemptNodes = (
  pod: Pod,
  victims: ReadonlyMap<string, readonly string[]>,
) => Promise<ReadonlySet<string>>;

/**
 * Keeps the candidates of a preemption that have room for the pod's volumes, or will have it
 * without the volumes that die with their victims.
 *
 * A node without victims falls: where evicting nobody is said to help, it was only our refusal
 * that the scheduler did not know of (which made schedulers before 1.22 panic). All fall while
 * others have been evicted for the pod already and their space is on its way: erasing a volume
 * takes longer than the end of a pod, and the next victims would be evicted in vain.
 */
export function preemptNodes(ports: PreemptPorts): PreemptNodes {
  return async (pod, victims) => {
    const resolved = await resolveNeeds(pod, ports.lookup);
    if (!resolved.ok) {
      return new Set();
    }
    const { pins, volumes } = resolved.value.needs;
    const asked = { pins, groups: groupByPool(volumes) };
    const nodes = fillNodes([pod.nominatedNode, ...victims.keys()], ports);
    const nominated = nodes.get(pod.nominatedNode);
    if (
      nominated &&
      !fits(asked, nominated.facts) &&
      (await willFit(asked, nominated, [], ports))
    ) {
      return new Set();
    }
    const kept = new Set<string>();
    for (const [name, pods] of victims) {
      const node = nodes.get(name);
      if (node && pods.length > 0 && (await willFit(asked, node, pods, ports))) {
        kept.add(name);
      }
    }
    return kept;
  };
}

/** Those of the nodes that are known, with their volumes. */
function fillNodes(
  names: readonly string[],
  { nodes, volumes }: PreemptPorts,
): ReadonlyMap<string, FilledNode> {
  const filled = new Map<string, FilledNode & { readonly volumes: LocalVolume[] }>();
  for (const name of names) {
    const facts = nodes.node(name);
    if (facts) {
      filled.set(name, { facts, volumes: [] });
    }
  }
  for (const volume of volumes.list()) {
    filled.get(volume.spec.node)?.volumes.push(volume);
  }
  return filled;
}

interface Asked {
  readonly pins: PodNeeds['pins'];
  readonly groups: NeedsByPool;
}

function fits({ pins, groups }: Asked, facts: NodeFacts): boolean {
  return fitNode(pins, groups, facts).fit !== undefined;
}

async function willFit(
  asked: Asked,
  node: FilledNode,
  victims: readonly string[],
  ports: PreemptPorts,
): Promise<boolean> {
  return fits(asked, node.facts) || fits(asked, await withFreedSpace(node, victims, ports));
}
