import { routingResource } from '../model/names.ts';
import { addStep, type JsonPatch, type PatchStep } from './json-patch.ts';
import { isEmptyTerm, maxTerms, narrowTerms, poolTerms, type Alternatives } from './node-terms.ts';
import {
  isOurs,
  type ClaimFacts,
  type ContainerResources,
  type PodScheduling,
} from './pod-facts.ts';

export interface Routing {
  /** The profile that asks Berth, and that pods are sent to. */
  readonly schedulerName: string;
  /** A pod that names one of these, or none, did not choose: it may be sent elsewhere. */
  readonly defaultSchedulers: readonly string[];
  /** Schedulers that ask Berth only about pods with the routing resource. */
  readonly wiredSchedulers: readonly string[];
}

export interface PodVerdict {
  /** Empty where the pod stays as it is. */
  readonly patch: JsonPatch;
  readonly warnings: readonly string[];
  /** Whether the pod has a claim of ours at all. */
  readonly concerned: boolean;
  /** The scheduler the pod ends with. */
  readonly scheduler: string;
  /** The pools from which volumes are still to be cut, each once. */
  readonly pools: readonly string[];
}

/**
 * Sends a pod with claims of ours to the scheduler that asks Berth, and to the nodes where its
 * volumes are or can be.
 *
 * A pod without such claims is left alone. Applied to its own result it changes nothing, so it
 * may be called again after other webhooks.
 */
export function mutatePod(
  pod: PodScheduling,
  claims: readonly ClaimFacts[],
  routing: Routing,
): PodVerdict {
  const ours = claims.filter(isOurs);
  const scheduler = ours.length === 0 ? pod.schedulerName : chooseScheduler(pod, claims, routing);
  const pools = [...new Set(ours.flatMap((one) => (one.kind === 'unbound' ? [one.pool] : [])))];
  const warnings = [...claims.flatMap(warnOfClaim)];
  if (ours.length === 0) {
    return { patch: [], warnings, concerned: false, scheduler, pools };
  }
  if (scheduler === routing.schedulerName && hasForeignUnbound(claims)) {
    warnings.push(
      `berth: ${scheduler} provides no volumes of other provisioners, and the pod has an unbound claim of one`,
    );
  }
  const pinned = pin(pod, demandsOf(pod, ours));
  warnings.push(...pinned.warnings);
  const patch = [...route(pod, scheduler), ...pinned.patch, ...wire(pod, scheduler, routing)];
  return { patch, warnings, concerned: true, scheduler, pools };
}

/**
 * A pod that chose a scheduler keeps it. One that waits for a volume of another provisioner
 * stays with a profile that can wait for it; Berth then provides when the node is chosen.
 */
function chooseScheduler(
  pod: PodScheduling,
  claims: readonly ClaimFacts[],
  routing: Routing,
): string {
  const chose = pod.schedulerName !== '' && !routing.defaultSchedulers.includes(pod.schedulerName);
  const stays = chose || pod.nodeName !== '' || hasForeignUnbound(claims);
  return stays ? pod.schedulerName : routing.schedulerName;
}

function hasForeignUnbound(claims: readonly ClaimFacts[]): boolean {
  return claims.some((one) => one.kind === 'foreign' && !one.bound);
}

function route(pod: PodScheduling, scheduler: string): JsonPatch {
  return scheduler === pod.schedulerName ? [] : [addStep(['spec', 'schedulerName'], scheduler)];
}

/**
 * What the node must offer. A pod with `spec.nodeName` is past all scheduling, yet kubelet
 * compares its affinity with the node: the place of a bound volume is therefore still demanded
 * (a pod on the wrong node fails at once with a reason instead of waiting for a mount), whereas
 * a pool is not, since the agent there provides late or says itself why it cannot.
 */
function demandsOf(pod: PodScheduling, ours: readonly ClaimFacts[]): readonly Alternatives[] {
  return ours.flatMap((one) => {
    switch (one.kind) {
      case 'bound':
        return one.terms === undefined ? [] : [one.terms];
      case 'unbound':
        return pod.nodeName === '' ? [poolTerms(one.pool)] : [];
      default:
        return [];
    }
  });
}

interface Pinned {
  readonly patch: JsonPatch;
  readonly warnings: readonly string[];
}

function pin(pod: PodScheduling, demands: readonly Alternatives[]): Pinned {
  const possible = demands.filter((demand) => !demand.every(isEmptyTerm));
  const warnings: string[] = [];
  if (possible.length < demands.length) {
    warnings.push('berth: a volume of the pod has a node affinity that matches no node');
  }
  if (possible.length === 0) {
    return { patch: [], warnings };
  }
  if (pod.requiredTerms?.every(isEmptyTerm)) {
    // Added to an empty term, our demand would turn "no node" into "some nodes".
    warnings.push('berth: the required node affinity of the pod matches no node');
    return { patch: [], warnings };
  }
  const { terms, leftOut } = narrowTerms(pod.requiredTerms, possible);
  if (leftOut > 0) {
    warnings.push(
      `berth: the nodes of ${leftOut} volume(s) are left out of the affinity: it would have more than ${maxTerms} terms`,
    );
  }
  const changed = JSON.stringify(terms) !== JSON.stringify(pod.requiredTerms ?? []);
  return { patch: changed ? [affinityStep(pod, terms)] : [], warnings };
}

function affinityStep({ affinity }: PodScheduling, terms: Alternatives): PatchStep {
  const required = { nodeSelectorTerms: terms };
  const field = 'requiredDuringSchedulingIgnoredDuringExecution';
  switch (affinity) {
    case 'none':
      return addStep(['spec', 'affinity'], { nodeAffinity: { [field]: required } });
    case 'without-node-affinity':
      return addStep(['spec', 'affinity', 'nodeAffinity'], { [field]: required });
    case 'with-node-affinity':
      return addStep(['spec', 'affinity', 'nodeAffinity', field], required);
  }
}

/** A scheduler wired by a managed resource asks only about pods that name it. */
function wire(pod: PodScheduling, scheduler: string, routing: Routing): JsonPatch {
  const [first] = pod.containers;
  const named = [...pod.containers, ...pod.initContainers].some(
    ({ requests = [], limits = [] }) =>
      requests.includes(routingResource) || limits.includes(routingResource),
  );
  const asks = routing.wiredSchedulers.includes(scheduler) && pod.nodeName === '';
  return first !== undefined && asks && !named ? resourceSteps(first) : [];
}

/** Of an extended resource, requests and limits must be equal. */
function resourceSteps(container: ContainerResources): JsonPatch {
  const at = ['spec', 'containers', 0, 'resources'];
  const one = { [routingResource]: '1' };
  if (!container.hasResources) {
    return [addStep(at, { requests: one, limits: one })];
  }
  return (['requests', 'limits'] as const).map((list) =>
    container[list] === undefined
      ? addStep([...at, list], one)
      : addStep([...at, list, routingResource], '1'),
  );
}

function warnOfClaim(one: ClaimFacts): string[] {
  switch (one.kind) {
    case 'unknown':
      return [`berth: claim ${one.claim} is not looked after yet: ${one.reason}`];
    case 'mistaken':
      return [`berth: claim ${one.claim} cannot be provided: ${one.reason}`];
    case 'lost':
      return [`berth: claim ${one.claim} names volume ${one.volume}, which ${one.reason}`];
    default:
      return [];
  }
}
