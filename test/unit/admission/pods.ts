import type { ClaimFacts, PodScheduling } from '../../../src/admission/pod-facts.ts';
import type { Routing } from '../../../src/admission/mutate-pod.ts';
import type { JsonPatch } from '../../../src/admission/json-patch.ts';
import type { NodeTerm } from '../../../src/admission/node-terms.ts';
import { parsePodRequest } from '../../../src/http/admission-objects-wire.ts';

export const routing: Routing = {
  schedulerName: 'berth-scheduler',
  defaultSchedulers: ['default-scheduler'],
  wiredSchedulers: [],
};

/** A pod as the API server sends it, and what is read of it. */
export function schedulingOf(pod: object): PodScheduling {
  const parsed = parsePodRequest({
    uid: 'u',
    kind: '/Pod',
    subResource: '',
    operation: 'CREATE',
    namespace: 'default',
    name: '',
    object: pod,
    oldObject: undefined,
  });
  if (!parsed.ok) {
    throw new Error(parsed.error);
  }
  return parsed.value.scheduling;
}

export function podWith(spec: object): { spec: Record<string, unknown> } {
  return { spec: { schedulerName: 'default-scheduler', containers: [{ name: 'a' }], ...spec } };
}

export function podWithTerms(terms: readonly NodeTerm[]): ReturnType<typeof podWith> {
  return podWith({ affinity: { nodeAffinity: { [required]: { nodeSelectorTerms: terms } } } });
}

export const required = 'requiredDuringSchedulingIgnoredDuringExecution';

export function termsOf(pod: object): readonly NodeTerm[] | undefined {
  return schedulingOf(pod).requiredTerms;
}

export function unbound(pool: string): ClaimFacts {
  return { claim: 'data', kind: 'unbound', pool };
}

export function boundTo(...nodes: string[]): ClaimFacts {
  const terms = nodes.map((node) => hostname(node));
  return { claim: 'data', kind: 'bound', volume: 'pvc-1', terms };
}

export function hostname(node: string): NodeTerm {
  return {
    matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }],
  };
}

/** Applies `add` steps as RFC 6902 says: the parent must exist. */
export function applyPatch<T extends object>(object: T, patch: JsonPatch): T {
  const copy = structuredClone(object);
  for (const { path, value } of patch) {
    const segments = path
      .split('/')
      .slice(1)
      .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = segments.pop() ?? '';
    let parent = copy as Record<string, unknown>;
    for (const segment of segments) {
      parent = parent[segment] as Record<string, unknown>;
    }
    if (parent === undefined) {
      throw new Error(`${path}: the parent is missing`);
    }
    parent[last] = value;
  }
  return copy;
}
