import type { Alternatives } from './node-terms.ts';

/** What of a pod decides where it runs, and where its patch must begin. */
export interface PodScheduling {
  /** Empty where the pod names none. */
  readonly schedulerName: string;
  /** Not empty where the pod bypasses every scheduler. */
  readonly nodeName: string;
  /** How much of the way to the required terms is there already. */
  readonly affinity: 'none' | 'without-node-affinity' | 'with-node-affinity';
  /** Nothing where the pod demands nothing of its node: then it may run on all of them. */
  readonly requiredTerms: Alternatives | undefined;
  readonly containers: readonly ContainerResources[];
  readonly initContainers: readonly ContainerResources[];
}

/** The names of the resources that a container requests and limits; nothing where a list is missing. */
export interface ContainerResources {
  readonly hasResources: boolean;
  readonly requests: readonly string[] | undefined;
  readonly limits: readonly string[] | undefined;
}

/** What is known of one claim of a pod. `claim` names it for people. */
export type ClaimFacts = { readonly claim: string } & (
  | { readonly kind: 'unknown'; readonly reason: string }
  | { readonly kind: 'foreign'; readonly bound: boolean }
  /** Ours, and still without a volume. */
  | { readonly kind: 'unbound'; readonly pool: string }
  /** Ours, but its class does not say properly what it wants. */
  | { readonly kind: 'mistaken'; readonly reason: string }
  /** Ours, with a volume; without terms that volume may be used everywhere. */
  | { readonly kind: 'bound'; readonly volume: string; readonly terms: Alternatives | undefined }
  /** Ours, and names a volume that is gone or belongs to another claim. */
  | { readonly kind: 'lost'; readonly volume: string; readonly reason: string }
);

export function isOurs({ kind }: ClaimFacts): boolean {
  return kind !== 'foreign' && kind !== 'unknown';
}
