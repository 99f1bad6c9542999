import { poolLabel } from '../model/names.ts';

/** One condition on a node's labels or fields, as Kubernetes writes it. */
export interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[] | undefined;
}

/**
 * Conditions that must all hold. Terms of one list are alternatives. A term without any
 * condition matches **no** node: that is Kubernetes' reading, not the logician's.
 */
export interface NodeTerm {
  readonly matchExpressions?: readonly Requirement[] | undefined;
  readonly matchFields?: readonly Requirement[] | undefined;
}

/** A node must satisfy one of these terms. */
export type Alternatives = readonly NodeTerm[];

/**
 * More terms than this are not written into a pod: every scheduler reads each of them for each
 * node. One claim whose volume is reachable from 64 places, or two with 8 each, still pass.
 */
export const maxTerms = 64;

export interface Narrowed {
  readonly terms: Alternatives;
  /** Demands left out because the terms would have become more than `maxTerms`. */
  readonly leftOut: number;
}

export function isEmptyTerm({ matchExpressions = [], matchFields = [] }: NodeTerm): boolean {
  return matchExpressions.length === 0 && matchFields.length === 0;
}

export function poolTerms(pool: string): Alternatives {
  return [{ matchExpressions: [{ key: poolLabel(pool), operator: 'Exists' }] }];
}

/**
 * Demands `demands` of a pod in addition to what it demands itself.
 *
 * Existing terms are alternatives, so each of them gets every demand: a rule is never weakened.
 * Where a demand has alternatives of its own, the result is their product. A term that holds an
 * alternative already stays as it is, and empty terms stay empty, so doing it twice changes
 * nothing the second time.
 *
 * @param existing - nothing, where the pod has no required node affinity
 * @param demands - each with at least one term that is not empty
 */
export function narrowTerms(
  existing: Alternatives | undefined,
  demands: readonly Alternatives[],
): Narrowed {
  let terms = existing;
  let waiting = demands;
  // A demand left out for size may fit once a later one has settled it for some of the terms.
  for (;;) {
    const leftOut: Alternatives[] = [];
    for (const demand of waiting) {
      const next = narrow(terms, demand);
      if (next === undefined) {
        leftOut.push(demand);
      } else {
        terms = next;
      }
    }
    if (leftOut.length === 0 || leftOut.length === waiting.length) {
      return { terms: terms ?? [], leftOut: leftOut.length };
    }
    waiting = leftOut;
  }
}

/** @returns nothing when there would be too many terms */
function narrow(terms: Alternatives | undefined, demand: Alternatives): Alternatives | undefined {
  const wanted = demand.filter((term) => !isEmptyTerm(term));
  if (terms === undefined) {
    return wanted.length > maxTerms ? undefined : wanted;
  }
  const product = terms.flatMap((term) =>
    isEmptyTerm(term) || wanted.some((one) => holds(term, one))
      ? [term]
      : wanted.map((one) => join(term, one)),
  );
  return product.length > Math.max(maxTerms, terms.length) ? undefined : product;
}

function holds(term: NodeTerm, wanted: NodeTerm): boolean {
  return (
    missing(term.matchExpressions, wanted.matchExpressions).length === 0 &&
    missing(term.matchFields, wanted.matchFields).length === 0
  );
}

function join(term: NodeTerm, wanted: NodeTerm): NodeTerm {
  const expressions = missing(term.matchExpressions, wanted.matchExpressions);
  const fields = missing(term.matchFields, wanted.matchFields);
  return {
    ...term,
    ...(expressions.length > 0 && {
      matchExpressions: [...(term.matchExpressions ?? []), ...expressions],
    }),
    ...(fields.length > 0 && { matchFields: [...(term.matchFields ?? []), ...fields] }),
  };
}

/** Those of `wanted` that are not among `there`. */
function missing(
  there: readonly Requirement[] = [],
  wanted: readonly Requirement[] = [],
): readonly Requirement[] {
  return wanted.filter((one) => !there.some((other) => sameRequirement(one, other)));
}

function sameRequirement(a: Requirement, b: Requirement): boolean {
  const [x, y] = [a.values ?? [], b.values ?? []];
  return (
    a.key === b.key &&
    a.operator === b.operator &&
    x.length === y.length &&
    x.every((value) => y.includes(value))
  );
}
