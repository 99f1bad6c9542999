import type { Alternatives, NodeTerm, Requirement } from '../../../src/admission/node-terms.ts';

export interface TestNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Kubernetes' own reading of required node affinity; none at all admits every node. */
export function admits(terms: Alternatives | undefined, node: TestNode): boolean {
  return terms === undefined || terms.some((term) => matches(term, node));
}

function matches({ matchExpressions = [], matchFields = [] }: NodeTerm, node: TestNode): boolean {
  if (matchExpressions.length === 0 && matchFields.length === 0) {
    return false;
  }
  return (
    matchExpressions.every((one) => holds(one, node.labels[one.key])) &&
    matchFields.every((one) => holds(one, one.key === 'metadata.name' ? node.name : undefined))
  );
}

function holds({ operator, values = [] }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      throw new RangeError(`no operator ${operator} here`);
  }
}
