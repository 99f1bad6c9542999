import { parsePod, type Pod } from '../model/pod.ts';
import { err, ok, type Result } from '../model/result.ts';
import { shown } from '../model/shown.ts';
import type { BindRequest } from '../usecases/bind-pod.ts';
import type { FilterAnswer } from '../usecases/filter-nodes.ts';
import type { NodeScore } from '../usecases/prioritize-nodes.ts';

/**
 * The extender protocol of kube-scheduler (staging/src/k8s.io/kube-scheduler/extender/v1/types.go).
 *
 * Its Go types carry no JSON tags, so the keys are written with capitals. Go reads keys without
 * regard to case; what we are sent is always the exact form, and anything else is a mistake.
 */

export interface ExtenderArgs {
  readonly pod: Pod;
  readonly nodeNames: readonly string[];
}

/** @returns the pod and the candidates, or what is wrong with the body */
export function parseExtenderArgs(body: unknown): Result<ExtenderArgs, string> {
  const fields = asObject(body);
  if (!fields.ok) {
    return fields;
  }
  const { Pod: podObject, NodeNames: nodeNames } = fields.value;
  if (typeof podObject !== 'object' || podObject === null) {
    return err(`Pod is ${shown(podObject)}: an object is required${hint(fields.value, 'Pod')}`);
  }
  const pod = parsePod(podObject);
  if (!pod.ok) {
    return pod;
  }
  if (!Array.isArray(nodeNames)) {
    const why = 'a list is required: set nodeCacheCapable: true for this extender';
    return err(`NodeNames is ${shown(nodeNames)}: ${why}${hint(fields.value, 'NodeNames')}`);
  }
  const wrong = nodeNames.findIndex((name) => typeof name !== 'string' || name === '');
  if (wrong >= 0) {
    return err(`NodeNames[${wrong}] is ${shown(nodeNames[wrong])}: the name of a node is required`);
  }
  return ok({ pod: pod.value, nodeNames: nodeNames as string[] });
}

/** @returns what to bind, or what is wrong with the body */
export function parseBindingArgs(body: unknown): Result<BindRequest, string> {
  const fields = asObject(body);
  if (!fields.ok) {
    return fields;
  }
  const { PodName, PodNamespace, PodUID, Node } = fields.value;
  for (const [key, value] of Object.entries({ PodName, PodNamespace, PodUID, Node })) {
    if (typeof value !== 'string' || value === '') {
      return err(`${key} is ${shown(value)}: a text is required${hint(fields.value, key)}`);
    }
  }
  return ok({
    name: PodName as string,
    namespace: PodNamespace as string,
    uid: PodUID as string,
    node: Node as string,
  });
}

/** What would be evicted from one node. */
interface Victims {
  readonly uids: readonly string[];
  readonly pdbViolations: number;
}

export interface PreemptionArgs {
  readonly pod: Pod;
  readonly victims: ReadonlyMap<string, Victims>;
}

/** @returns the candidates of a preemption, or what is wrong with the body */
export function parsePreemptionArgs(body: unknown): Result<PreemptionArgs, string> {
  const fields = asObject(body);
  if (!fields.ok) {
    return fields;
  }
  const { Pod: podObject, NodeNameToMetaVictims, NodeNameToVictims } = fields.value;
  const pod = parsePod(podObject ?? {});
  if (!pod.ok) {
    return pod;
  }
  // The first form is for extenders that know the pods; the second holds them whole.
  const byNode = NodeNameToMetaVictims ?? NodeNameToVictims;
  if (typeof byNode !== 'object' || byNode === null) {
    const why = 'an object is required there or in NodeNameToVictims';
    return err(`NodeNameToMetaVictims is ${shown(NodeNameToMetaVictims)}: ${why}`);
  }
  const given = Object.entries(byNode as Record<string, VictimsObject | null>);
  const victims = new Map(given.map(([node, one]) => [node, victimsOf(one)]));
  const wrong = [...victims].find(([, { uids }]) => uids.includes(''));
  return wrong
    ? err(`the victims of node ${wrong[0]} have one without a UID`)
    : ok({ pod: pod.value, victims });
}

function victimsOf(given: VictimsObject | null): Victims {
  const uids = (given?.Pods ?? []).map((one) => one.UID ?? one.metadata?.uid ?? '');
  return { uids, pdbViolations: given?.NumPDBViolations ?? 0 };
}

interface VictimsObject {
  readonly Pods?:
    readonly { readonly UID?: string; readonly metadata?: { readonly uid?: string } }[] | null;
  readonly NumPDBViolations?: number;
}

/** Which pods are evicted from the nodes that are kept has not changed. */
export function toPreemptionResult(
  { victims }: PreemptionArgs,
  nodes: ReadonlySet<string>,
): { readonly NodeNameToMetaVictims: object } {
  const kept = [...victims].filter(([node]) => nodes.has(node));
  const formatted = kept.map(([node, { uids, pdbViolations }]) => [
    node,
    { Pods: uids.map((UID) => ({ UID })), NumPDBViolations: pdbViolations },
  ]);
  return { NodeNameToMetaVictims: Object.fromEntries(formatted) as object };
}

export interface FilterResult {
  readonly NodeNames: readonly string[];
  readonly FailedNodes: Readonly<Record<string, string>>;
  readonly FailedAndUnresolvableNodes: Readonly<Record<string, string>>;
  readonly Error: string;
}

/**
 * The JSON text of a FilterResult, put together here: an object with thousands of keys takes
 * several times as long to build and to print.
 *
 * A refused node is unresolvable: nobody is evicted for the sake of volumes alone, since
 * kube-scheduler, which chooses the victims, knows nothing of their volumes. Schedulers before
 * 1.21 do not know that field and would take such a node for one that was merely left out.
 */
export function formatFilterResult(answer: FilterAnswer, knowsUnresolvable: boolean): string {
  const feasible = JSON.stringify(answer.feasible);
  const refused = formatReasons(answer.rejected);
  const [failed, unresolvable] = knowsUnresolvable ? ['{}', refused] : [refused, '{}'];
  return `{"NodeNames":${feasible},"FailedNodes":${failed},"FailedAndUnresolvableNodes":${unresolvable},"Error":""}`;
}

/**
 * The refusal of all nodes as one error, in the words that kube-scheduler would use. After an
 * error it evicts nobody; 1.20 panics when it looks for victims on nodes that were refused here,
 * and only our own profile does not look for any.
 */
export function toRefusal({ rejected }: FilterAnswer): FilterResult {
  const counts = new Map<string, number>();
  for (const reason of rejected.values()) {
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  const texts = [...counts].map(([reason, count]) => `${count} ${reason}`);
  return toFilterError(`0/${rejected.size} nodes are available: ${texts.join(', ')}.`);
}

function formatReasons(reasons: ReadonlyMap<string, string>): string {
  const quoted = new Map<string, string>();
  const parts: string[] = [];
  for (const [node, reason] of reasons) {
    let text = quoted.get(reason);
    if (text === undefined) {
      text = JSON.stringify(reason);
      quoted.set(reason, text);
    }
    parts.push(`${JSON.stringify(node)}:${text}`);
  }
  return `{${parts.join(',')}}`;
}

export function toFilterError(message: string): FilterResult {
  return { NodeNames: [], FailedNodes: {}, FailedAndUnresolvableNodes: {}, Error: message };
}

export interface HostPriority {
  readonly Host: string;
  readonly Score: number;
}

export function toHostPriorities(scores: readonly NodeScore[]): readonly HostPriority[] {
  return scores.map(({ node, score }) => ({ Host: node, Score: score }));
}

function asObject(body: unknown): Result<Readonly<Record<string, unknown>>, string> {
  return typeof body === 'object' && body !== null && !Array.isArray(body)
    ? ok(body as Record<string, unknown>)
    : err(`the body is ${shown(body)}: a JSON object is required`);
}

/** The commonest mistake of a hand-made request is the case of a key. */
function hint(fields: Readonly<Record<string, unknown>>, key: string): string {
  const near = Object.keys(fields).find(
    (one) => one !== key && one.toLowerCase() === key.toLowerCase(),
  );
  return near === undefined ? '' : ` (the key is "${near}": it must be written "${key}")`;
}
