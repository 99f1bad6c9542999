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
import { changedWants } from './changed-wants.ts';
import type { Instance } from './instance.ts';
import { namespaceFor } from './namespace.ts';
import { maintenanceConflict } from './provision.ts';
import type { Plan, Service } from './plan.ts';
import type { UpdateRequest } from './requests.ts';
import { isSame } from './same.ts';
import { createSchema, updateSchema } from './schemas.ts';
import { inForce, standingOf } from './standing.ts';
import { findPlan, findService, type Surroundings } from './surroundings.ts';

/** What an update may change of an instance. */
type Changeable = Pick<Instance, 'planId' | 'parameters' | 'wants' | 'maintenanceVersion'>;

/**
 * Decides on a request to change an instance. A change of nothing but the context is done at
 * once, one that changes nothing answers 200, all else is an operation.
 */
export function decideUpdate(
  request: UpdateRequest,
  stored: Instance | undefined,
  around: Surroundings,
): Decision {
  if (stored === undefined) {
    return refused(404, 'NotFound', 'there is no such instance');
  }
  if (request.serviceId !== stored.serviceId) {
    return refused(
      400,
      'BadRequest',
      `service_id is ${shown(request.serviceId)}: the instance is of ${shown(stored.serviceId)}`,
    );
  }
  const standing = standingOf(stored);
  if (standing === 'updating') {
    return whileUpdating(request, stored, around);
  }
  if (standing === 'failed') {
    return refused(422, 'NotUsable', 'the instance was never made: deprovision it', {
      instance_usable: false,
      update_repeatable: false,
    });
  }
  if (standing !== 'there' && standing !== 'broken') {
    return answered(concurrent(`the instance is ${standing}`));
  }
  return unlessHopeless(changed(request, inForce(stored), around), standing === 'there');
}

/** Platforms take it that the same update may succeed later, unless they are told otherwise. */
function unlessHopeless(decision: Decision, isUsable: boolean): Decision {
  if (decision.kind !== 'answer' || decision.answer.body['error'] !== 'UnsupportedChange') {
    return decision;
  }
  const { answer } = decision;
  const flags = { instance_usable: isUsable, update_repeatable: false };
  return answered({ ...answer, body: { ...answer.body, ...flags } });
}

/** The same request again hears of the operation it began; any other has to wait. */
function whileUpdating(request: UpdateRequest, stored: Instance, around: Surroundings): Decision {
  const before = { ...stored, ...stored.operation.before };
  const next = target(request, before, around);
  const isSameRequest =
    next.ok &&
    isSame(essence(next.value), essence(stored)) &&
    (request.context === undefined || isSame(request.context, stored.context));
  if (!isSameRequest) {
    return answered(concurrent('the instance is updating'));
  }
  return answered(request.acceptsIncomplete ? accepted(stored.operation.id) : asyncRequired());
}

function changed(request: UpdateRequest, stored: Instance, around: Surroundings): Decision {
  const to = target(request, stored, around);
  if (!to.ok) {
    return answered(to.error);
  }
  const context = request.context ?? stored.context;
  const moved = staysInNamespace(request, stored, around);
  if (moved) {
    return answered(moved);
  }
  const next = { ...stored, ...to.value, context };
  if (isSame(essence(to.value), essence(stored))) {
    const answer = { status: 200, body: {} };
    return isSame(context, stored.context)
      ? answered(answer)
      : { kind: 'ask', next: { ...stored, context }, answer };
  }
  if (!request.acceptsIncomplete) {
    return answered(asyncRequired());
  }
  const { operationId: id, at: startedAt } = around;
  const operation = { id, kind: 'update', startedAt, before: essence(stored) } as const;
  return { kind: 'ask', next: { ...next, operation }, answer: accepted(id) };
}

function essence({ planId, parameters, wants, maintenanceVersion }: Changeable): Changeable {
  return { planId, parameters, wants, maintenanceVersion };
}

/** What the instance would be after the request. */
function target(
  request: UpdateRequest,
  stored: Instance,
  around: Surroundings,
): Result<Changeable, Answer> {
  const { maintenanceVersion } = request;
  const changesNothing =
    request.parameters === undefined &&
    maintenanceVersion === undefined &&
    (request.planId ?? stored.planId) === stored.planId;
  if (changesNothing) {
    return ok(stored);
  }
  const plan = targetPlan(request, stored, around);
  return plan.ok ? changedTo(plan.value, request, stored, around) : plan;
}

function changedTo(
  plan: Plan,
  { maintenanceVersion, parameters = {} }: UpdateRequest,
  stored: Instance,
  around: Surroundings,
): Result<Changeable, Answer> {
  const conflict = maintenanceConflict(maintenanceVersion, plan);
  if (conflict) {
    return err(conflict);
  }
  const fits = around.checkParameters(updateSchema(plan), parameters);
  if (!fits.ok) {
    return err(refusal(400, 'InvalidParameters', fits.error));
  }
  const version = maintenanceVersion ?? impliedVersion(plan, stored);
  const isMaintained = version !== stored.maintenanceVersion;
  const wants = changedWants({ stored, plan, parameters, isMaintained });
  return wants.ok
    ? ok({
        planId: plan.id,
        parameters: { ...keptParameters(stored, plan), ...parameters },
        wants: wants.value,
        maintenanceVersion: version,
      })
    : wants;
}

/** Another plan comes with its version; the same one waits until maintenance is asked for. */
function impliedVersion(plan: Plan, { planId, maintenanceVersion }: Instance): string | undefined {
  return plan.id === planId ? maintenanceVersion : plan.maintenance?.version;
}

/** Another plan may not know what was asked of the one before. */
function keptParameters({ parameters }: Instance, plan: Plan): Instance['parameters'] {
  const known = createSchema(plan)['properties'] as object;
  return Object.fromEntries(Object.entries(parameters).filter(([name]) => name in known));
}

function targetPlan(
  { planId }: UpdateRequest,
  stored: Instance,
  { catalog }: Surroundings,
): Result<Plan, Answer> {
  const service = findService(catalog, stored.serviceId);
  const plan = findPlan(service, planId ?? stored.planId);
  if (plan === undefined) {
    return planId === undefined || planId === stored.planId
      ? err(refusal(422, 'UnsupportedChange', 'the plan of the instance is not offered any more'))
      : err(refusal(400, 'BadRequest', `plan_id is ${shown(planId)}: the catalog has no such one`));
  }
  const hindrance = whyNotTo(plan, stored, service);
  return hindrance === undefined ? ok(plan) : err(refusal(422, 'UnsupportedChange', hindrance));
}

function whyNotTo(plan: Plan, { planId }: Instance, service: Service | undefined) {
  const from = findPlan(service, planId);
  const isAllowed = plan.id === planId || (from?.updatableTo?.includes(plan.id) ?? true);
  return isAllowed
    ? undefined
    : `plan_id: instances of plan ${from?.name ?? planId} cannot change to ${plan.name}`;
}

/** Claims cannot move; a context may be as it likes otherwise. */
function staysInNamespace(
  { context }: UpdateRequest,
  { namespace }: Instance,
  { namespaces }: Surroundings,
): Answer | undefined {
  if (context?.['platform'] !== 'kubernetes') {
    return undefined;
  }
  const asked = namespaceFor(context, namespaces);
  if (asked.ok && asked.value === namespace) {
    return undefined;
  }
  return asked.ok
    ? refusal(
        422,
        'UnsupportedChange',
        `context.namespace is "${asked.value}": the instance stays in "${namespace}"`,
      )
    : refusal(400, 'BadRequest', asked.error);
}

function accepted(operation: string): Answer {
  return { status: 202, body: { operation } };
}
