import { shown } from '../model/shown.ts';
import {
  answered,
  asyncRequired,
  concurrent,
  refusal,
  refused,
  type Answer,
  type Decision,
} from './answer.ts';
import type { Instance } from './instance.ts';
import type { DeprovisionRequest } from './requests.ts';
import { inForce, isPlanOf, standingOf } from './standing.ts';
import type { Surroundings } from './surroundings.ts';

/**
 * Decides on a request to give an instance up. One that is being made is stopped; one that is
 * being changed has to be waited for. Nothing but the record is asked, so that an instance whose
 * plan has left the catalog can go as well.
 */
export function decideDeprovision(
  request: DeprovisionRequest,
  stored: Instance | undefined,
  { at: startedAt, operationId: id }: Surroundings,
): Decision {
  const standing = stored && standingOf(stored);
  if (stored === undefined || standing === 'gone') {
    return answered(gone('instance'));
  }
  const stranger = whoElse(request, stored);
  if (stranger !== undefined) {
    return refused(400, 'BadRequest', stranger);
  }
  if (standing === 'updating') {
    return answered(concurrent('the instance is updating'));
  }
  const bindings = stored.bindings.length;
  if (bindings > 0 && stored.wants.inUse === 'refuse') {
    const text = `the instance has ${bindings} bindings: they have to be taken away first`;
    return refused(422, 'InUse', text, { instance_usable: true });
  }
  if (!request.acceptsIncomplete) {
    return answered(asyncRequired());
  }
  if (standing === 'deprovisioning') {
    return answered(accepted(stored.operation.id));
  }
  const operation = { id, kind: 'deprovision', startedAt } as const;
  return {
    kind: 'ask',
    next: { ...inForce(stored), bindings: [], operation },
    answer: accepted(id),
  };
}

/** Which of the two ids, if any, is of something else. */
export function whoElse(
  {
    serviceId,
    planId,
  }: { readonly serviceId?: string | undefined; readonly planId?: string | undefined },
  stored: Instance,
): string | undefined {
  if (serviceId !== undefined && serviceId !== stored.serviceId) {
    return `service_id is ${shown(serviceId)}: the instance is of ${shown(stored.serviceId)}`;
  }
  return planId !== undefined && !isPlanOf(stored, planId)
    ? `plan_id is ${shown(planId)}: the instance is of ${shown(inForce(stored).planId)}`
    : undefined;
}

export function gone(what: 'instance' | 'binding'): Answer {
  return refusal(410, 'Gone', `there is no such ${what}`);
}

function accepted(operation: string): Answer {
  return { status: 202, body: { operation } };
}
