import { shown } from '../model/shown.ts';
import { answered, concurrent, refusal, refused, type Answer, type Decision } from './answer.ts';
import { gone, whoElse } from './deprovision.ts';
import type { Instance } from './instance.ts';
import type { Json } from './plan.ts';
import type { LastOperationRequest } from './requests.ts';
import { inForce, standingOf } from './standing.ts';

/** Shows an instance that is there; one that is being changed cannot be shown. */
export function decideFetch(stored: Instance | undefined): Decision {
  const standing = stored && standingOf(stored);
  if (stored === undefined || standing === 'gone') {
    return answered(notFound('instance'));
  }
  if (standing === 'provisioning' || standing === 'failed') {
    return refused(404, 'NotFound', `the instance is not there: ${standing}`);
  }
  if (standing === 'updating' || standing === 'deprovisioning') {
    return answered(concurrent(`the instance is ${standing}`));
  }
  const { serviceId, planId, parameters, maintenanceVersion, namespace } = inForce(stored);
  return answered({
    status: 200,
    body: {
      service_id: serviceId,
      plan_id: planId,
      parameters,
      ...(maintenanceVersion !== undefined && {
        maintenance_info: { version: maintenanceVersion },
      }),
      metadata: { labels: { namespace }, attributes: {} },
    },
  });
}

const askAgainSeconds = 2;

/** Says how far the last operation is. An instance without a record was deprovisioned. */
export function decideLastOperation(
  request: LastOperationRequest,
  stored: Instance | undefined,
): Decision {
  if (stored === undefined) {
    return answered(gone('instance'));
  }
  const { operation, progress } = stored;
  if (request.operation !== undefined && request.operation !== operation.id) {
    return refused(
      400,
      'BadRequest',
      `operation is ${shown(request.operation)}: the last one is ${shown(operation.id)}`,
    );
  }
  const stranger = whoElse(request, stored);
  if (stranger !== undefined) {
    return refused(400, 'BadRequest', stranger);
  }
  if (progress.operationId !== operation.id) {
    return answered(told('in progress', 'waiting to begin'));
  }
  const more = progress.state === 'failed' ? afterFailure(stored) : {};
  return answered(told(progress.state, progress.description, more));
}

function told(
  state: string,
  description: string,
  more: Readonly<Record<string, Json>> = {},
): Answer {
  return {
    status: 200,
    body: { state, ...(description !== '' && { description }), ...more },
    ...(state === 'in progress' && { retryAfter: askAgainSeconds }),
  };
}

/** The specification allows these for updates and deprovisioning alone. */
function afterFailure({ operation, progress }: Instance): Readonly<Record<string, Json>> {
  if (operation.kind === 'provision') {
    return {};
  }
  return {
    instance_usable: progress.usable,
    ...(operation.kind === 'update' && { update_repeatable: progress.repeatable }),
  };
}

export function notFound(what: 'instance' | 'binding'): Answer {
  return refusal(404, 'NotFound', `there is no such ${what}`);
}
