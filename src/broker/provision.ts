import { err, ok, type Result } from '../model/result.ts';
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
import type { Instance, Progress } from './instance.ts';
import { namespaceFor } from './namespace.ts';
import type { Plan } from './plan.ts';
import type { ProvisionRequest } from './requests.ts';
import { isSame } from './same.ts';
import { createSchema } from './schemas.ts';
import { inForce, standingOf } from './standing.ts';
import { findPlan, findService, type Surroundings } from './surroundings.ts';
import { wantsOf } from './wants.ts';

/**
 * Decides on a request to make an instance. One that is made already answers 200, one that is
 * being made, or could not be made, 202 with the operation of the first request: the platform
 * then hears how it ended.
 */
export function decideProvision(
  request: ProvisionRequest,
  stored: Instance | undefined,
  around: Surroundings,
): Decision {
  const asked = newInstance(request, around);
  if (!asked.ok) {
    return answered(asked.error);
  }
  if (stored !== undefined) {
    return repeated(asked.value, stored, request.acceptsIncomplete);
  }
  return request.acceptsIncomplete
    ? { kind: 'create', instance: asked.value, answer: accepted(asked.value) }
    : answered(asyncRequired());
}

/** The instance that a request asks for, or why there is none. */
function newInstance(request: ProvisionRequest, around: Surroundings): Result<Instance, Answer> {
  const { serviceId, planId, parameters, context } = request;
  const plan = offeredPlan(serviceId, planId, around);
  if (!plan.ok) {
    return plan;
  }
  const conflict = maintenanceConflict(request.maintenanceVersion, plan.value);
  if (conflict) {
    return err(conflict);
  }
  const fits = around.checkParameters(createSchema(plan.value), parameters);
  const wants = fits.ok ? wantsOf(plan.value, parameters) : fits;
  if (!wants.ok) {
    return err(refusal(400, 'InvalidParameters', wants.error));
  }
  const namespace = namespaceFor(context, around.namespaces);
  if (!namespace.ok) {
    return err(refusal(400, 'BadRequest', namespace.error));
  }
  const maintenanceVersion = request.maintenanceVersion ?? plan.value.maintenance?.version;
  const operation = { id: around.operationId, kind: 'provision', startedAt: around.at } as const;
  return ok({
    id: request.instanceId,
    ...{ serviceId, planId, parameters, context },
    ...(maintenanceVersion !== undefined && { maintenanceVersion }),
    namespace: namespace.value,
    wants: wants.value,
    bindings: [],
    operation,
    progress: untouched(operation.id, around.at),
  });
}

function offeredPlan(
  serviceId: string,
  planId: string,
  { catalog }: Surroundings,
): Result<Plan, Answer> {
  const service = findService(catalog, serviceId);
  if (!service) {
    return err(
      refusal(400, 'BadRequest', `service_id is ${shown(serviceId)}: the catalog has no such one`),
    );
  }
  const plan = findPlan(service, planId);
  return plan
    ? ok(plan)
    : err(
        refusal(
          400,
          'BadRequest',
          `plan_id is ${shown(planId)}: service ${service.name} has no such one`,
        ),
      );
}

/** The platform shows people a version that is not the one of the catalog any more. */
export function maintenanceConflict(asked: string | undefined, plan: Plan): Answer | undefined {
  const offered = plan.maintenance?.version;
  return asked === undefined || asked === offered
    ? undefined
    : refusal(
        422,
        'MaintenanceInfoConflict',
        `maintenance_info.version is ${shown(asked)}: plan ${plan.name} has ${offered ?? 'none'}`,
      );
}

function repeated(asked: Instance, stored: Instance, acceptsIncomplete: boolean): Decision {
  const standing = standingOf(stored);
  if (['updating', 'deprovisioning', 'gone'].includes(standing)) {
    return answered(concurrent(`the instance is ${standing}`));
  }
  const differs = whatDiffers(asked, inForce(stored));
  if (differs !== undefined) {
    return refused(409, 'Conflict', `an instance with this id is there, with another ${differs}`);
  }
  if (standing === 'there') {
    return answered({ status: 200, body: {} });
  }
  if (standing === 'broken') {
    return refused(409, 'NotUsable', `an instance with this id is there and cannot be used`);
  }
  return answered(acceptsIncomplete ? accepted(stored) : asyncRequired());
}

/** Contexts may change in the life of an instance: they do not tell it from another. */
function whatDiffers(asked: Instance, stored: Instance): string | undefined {
  const facts: readonly (readonly [string, (instance: Instance) => unknown])[] = [
    ['service_id', ({ serviceId }) => serviceId],
    ['plan_id', ({ planId }) => planId],
    ['parameters', ({ parameters }) => parameters],
    ['namespace', ({ namespace }) => namespace],
  ];
  return facts.find(([, of]) => !isSame(of(asked), of(stored)))?.[0];
}

function accepted({ operation }: Instance): Answer {
  return { status: 202, body: { operation: operation.id } };
}

function untouched(operationId: string, since: string): Progress {
  return {
    ...{ operationId, since, state: 'in progress', description: 'waiting to begin' },
    ...{ usable: false, repeatable: true, volumes: [] },
  };
}
