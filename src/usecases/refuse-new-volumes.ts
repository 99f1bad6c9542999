import type { Pod } from '../model/pod.ts';
import type { NodeFacts } from '../scheduling/filter.ts';
import type { PodNeeds } from '../scheduling/needs.ts';

/**
 * Why nothing new is made on a node for this pod; volumes that are there already do not mind.
 *
 * kube-scheduler knows all this, but its choice may be seconds old, and not every pod comes by a
 * scheduler that asks: what is made on a node that is drained would keep the pod there.
 */
export function refuseNewVolumes(
  pod: Pod,
  { volumes }: Pick<PodNeeds, 'volumes'>,
  node: NodeFacts | undefined,
): string | undefined {
  if (volumes.length === 0 || node === undefined) {
    return undefined;
  }
  const { name, state } = node;
  if (state.unschedulable && !pod.toleratesCordon) {
    return `node ${name} is cordoned: no new volumes are made on it`;
  }
  if (state.ready !== 'True') {
    const why = state.said === '' ? 'it does not say how it is' : state.said;
    return `node ${name} is not ready (${why}): no new volumes are made on it`;
  }
  return undefined;
}
