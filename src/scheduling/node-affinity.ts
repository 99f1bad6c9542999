/** The parts of core/v1 NodeSelectorTerm, as they stand in a PersistentVolume or a pod. */
export interface NodeSelectorTerm {
  readonly matchExpressions?: readonly NodeSelectorRequirement[] | undefined;
  readonly matchFields?: readonly NodeSelectorRequirement[] | undefined;
}

export interface NodeSelectorRequirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[] | undefined;
}

export type Labels = Readonly<Record<string, string>>;

/**
 * Whether a node satisfies at least one term, as Kubernetes evaluates it: terms are ORed, the
 * requirements in a term are ANDed, a term without any requirement matches nothing.
 *
 * Source: component-helpers scheduling/corev1/nodeaffinity.
 */
export function matchesTerms(
  terms: readonly NodeSelectorTerm[],
  nodeName: string,
  labels: Labels,
): boolean {
  return terms.some((term) => matchesTerm(term, nodeName, labels));
}

function matchesTerm(term: NodeSelectorTerm, nodeName: string, labels: Labels): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  return (
    expressions.length + fields.length > 0 &&
    expressions.every((requirement) => satisfies(requirement, labelOf(labels, requirement.key))) &&
    fields.every(
      (requirement) => requirement.key === 'metadata.name' && satisfies(requirement, nodeName),
    )
  );
}

/** Labels come from JSON: a key such as `constructor` must not find what every object inherits. */
function labelOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

function satisfies({ operator, values = [] }: NodeSelectorRequirement, actual?: string): boolean {
  switch (operator) {
    case 'In':
      return actual !== undefined && values.includes(actual);
    case 'NotIn':
      return isNoneOf(actual, values);
    case 'Exists':
      return actual !== undefined;
    case 'DoesNotExist':
      return actual === undefined;
    case 'Gt':
      return compares(actual, values, (a, b) => a > b);
    case 'Lt':
      return compares(actual, values, (a, b) => a < b);
    default:
      return false;
  }
}

/** Without values the requirement is not valid, and matches nothing. */
function isNoneOf(actual: string | undefined, values: readonly string[]): boolean {
  return values.length > 0 && (actual === undefined || !values.includes(actual));
}

function compares(
  actual: string | undefined,
  values: readonly string[],
  holds: (a: bigint, b: bigint) => boolean,
): boolean {
  const [bound] = values;
  const whole = /^[+-]?\d+$/;
  return (
    actual !== undefined &&
    bound !== undefined &&
    values.length === 1 &&
    whole.test(actual) &&
    whole.test(bound) &&
    holds(BigInt(actual), BigInt(bound))
  );
}
