import type { Instance } from './instance.ts';

/**
 * Where an instance is in its life, as requests see it.
 *
 * `there` can be used. `failed` never came to be, and only waits to be deprovisioned. `broken` was
 * there once, and an update or deprovisioning has failed half-way. `gone` has a record that is
 * about to go.
 */
export type Standing =
  'provisioning' | 'updating' | 'deprovisioning' | 'there' | 'failed' | 'broken' | 'gone';

export function standingOf({ operation, progress }: Instance): Standing {
  const { kind } = operation;
  const isTold = progress.operationId === operation.id;
  const state = isTold ? progress.state : 'in progress';
  if (state === 'in progress') {
    return { provision: 'provisioning', update: 'updating', deprovision: 'deprovisioning' }[
      kind
    ] as Standing;
  }
  if (state === 'succeeded') {
    return kind === 'deprovision' ? 'gone' : 'there';
  }
  if (kind === 'provision') {
    return 'failed';
  }
  return progress.usable ? 'there' : 'broken';
}

/**
 * The instance as it counts: an update that has failed is taken back, so what it came from holds
 * again. Both halves of the broker read instances through this.
 */
export function inForce(instance: Instance): Instance {
  const { operation, progress } = instance;
  const hasFailed = progress.operationId === operation.id && progress.state === 'failed';
  return operation.before === undefined || !hasFailed
    ? instance
    : { ...instance, ...operation.before };
}

/** Whether a platform may name this plan for the instance: after an update it may name either. */
export function isPlanOf({ planId, operation }: Instance, named: string): boolean {
  return named === planId || named === operation.before?.planId;
}
