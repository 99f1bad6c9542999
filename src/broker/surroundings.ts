import type { Result } from '../model/result.ts';
import type { Catalog, Json, Plan, Service } from './plan.ts';

/** Everything beside request and instance that a decision rests on. */
export interface Surroundings {
  readonly catalog: Catalog;
  /** Whether parameters fit a schema; the error names each mistake. */
  readonly checkParameters: (
    schema: Readonly<Record<string, Json>>,
    parameters: Json,
  ) => Result<undefined, string>;
  readonly namespaces: NamespaceRules;
  /** ISO 8601. */
  readonly at: string;
  /** Names the operation that begins, should one begin. */
  readonly operationId: string;
}

/** Where instances may be. */
export interface NamespaceRules {
  /** For requests whose context names none; none where missing. */
  readonly usual?: string | undefined;
  /** The only ones a context may name; empty allows all but the closed ones. */
  readonly allowed: readonly string[];
  /** Never used, whoever names them. */
  readonly closed: readonly string[];
}

export function findService(catalog: Catalog, id: string): Service | undefined {
  return catalog.services.find((service) => service.id === id);
}

export function findPlan(service: Service | undefined, id: string): Plan | undefined {
  return service?.plans.find((plan) => plan.id === id);
}
