import type { Instance } from './instance.ts';
import type { Json } from './plan.ts';

/** What the platform is told: an HTTP status and the body that goes with it. */
export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, Json>>;
  /** When to ask again, in seconds. */
  readonly retryAfter?: number;
}

/**
 * What a request comes to. Nothing is changed but by `create` and `ask`, and the answer is given
 * only when what they say is written; where somebody else was first, it is decided anew.
 */
export type Decision =
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'create'; readonly instance: Instance; readonly answer: Answer }
  | { readonly kind: 'ask'; readonly next: Instance; readonly answer: Answer };

/**
 * The word in `error`. The first three are those of the specification, which platforms act on; the
 * others are for people and logs.
 */
export type ErrorName =
  | 'AsyncRequired'
  | 'ConcurrencyError'
  | 'MaintenanceInfoConflict'
  | 'BadRequest'
  | 'BodyTooLarge'
  | 'Conflict'
  | 'Gone'
  | 'InUse'
  | 'InternalError'
  | 'InvalidParameters'
  | 'NotFound'
  | 'NotUsable'
  | 'PreconditionFailed'
  | 'QuotaExceeded'
  | 'Unauthorized'
  | 'UnsupportedChange';

/** @param more - fields that the specification allows beside the two */
export function refusal(
  status: number,
  error: ErrorName,
  description: string,
  more: Readonly<Record<string, Json>> = {},
): Answer {
  return { status, body: { error, description, ...more } };
}

export function answered(answer: Answer): Decision {
  return { kind: 'answer', answer };
}

export function refused(...what: Parameters<typeof refusal>): Decision {
  return answered(refusal(...what));
}

export function concurrent(what: string): Answer {
  return refusal(
    422,
    'ConcurrencyError',
    `${what}: ask again when the pending request has completed`,
  );
}

export function asyncRequired(): Answer {
  return refusal(
    422,
    'AsyncRequired',
    'this takes longer than a request may: accepts_incomplete=true is required',
  );
}
