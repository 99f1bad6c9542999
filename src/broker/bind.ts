import { shown } from '../model/shown.ts';
import { answered, concurrent, refusal, refused, type Answer, type Decision } from './answer.ts';
import { toCredentials } from './credentials.ts';
import { gone, whoElse } from './deprovision.ts';
import type { Binding, Instance } from './instance.ts';
import { notFound } from './look.ts';
import type { BindingOperationRequest, BindRequest, UnbindRequest } from './requests.ts';
import { isSame } from './same.ts';
import { bindSchema } from './schemas.ts';
import { inForce, standingOf } from './standing.ts';
import { findPlan, findService, type Surroundings } from './surroundings.ts';

/** All bindings of an instance are kept in its record, which must not grow without end. */
const mostBindings = 100;

/**
 * Decides on a request for a binding. Claims can be used as soon as an instance is there, so a
 * binding is a note of who uses it, and is done at once.
 */
export function decideBind(
  request: BindRequest,
  stored: Instance | undefined,
  around: Surroundings,
): Decision {
  if (stored === undefined || standingOf(stored) === 'gone') {
    return answered(notFound('instance'));
  }
  const hindrance = whyNot(request, stored, around);
  if (hindrance) {
    return answered(hindrance);
  }
  const before = findBinding(stored, request.bindingId);
  if (before !== undefined) {
    return isSame(before.parameters, request.parameters)
      ? answered({ status: 200, body: bindingBody(stored, before, around) })
      : refused(409, 'Conflict', 'a binding with this id is there, with other parameters');
  }
  if (stored.bindings.length >= mostBindings) {
    return refused(422, 'QuotaExceeded', `an instance has at most ${mostBindings} bindings`);
  }
  const { bindingId: id, parameters, context } = request;
  const binding = { id, parameters, context, madeAt: around.at };
  return {
    kind: 'ask',
    next: { ...stored, bindings: [...stored.bindings, binding] },
    answer: { status: 201, body: bindingBody(stored, binding, around) },
  };
}

function whyNot(request: BindRequest, stored: Instance, around: Surroundings): Answer | undefined {
  const stranger = whoElse(request, stored);
  if (stranger !== undefined) {
    return refusal(400, 'BadRequest', stranger);
  }
  const fits = around.checkParameters(bindSchema(stored.wants.volumeMode), request.parameters);
  if (!fits.ok) {
    return refusal(400, 'InvalidParameters', fits.error);
  }
  const standing = standingOf(stored);
  if (standing === 'failed' || standing === 'broken') {
    return refusal(422, 'NotUsable', `the instance cannot be used: ${stored.progress.description}`);
  }
  return standing === 'there' ? undefined : concurrent(`the instance is ${standing}`);
}

/** Shows a binding, with the nodes and sizes as they are now. */
export function decideFetchBinding(
  bindingId: string,
  stored: Instance | undefined,
  around: Surroundings,
): Decision {
  const binding = stored && findBinding(stored, bindingId);
  if (stored === undefined || binding === undefined) {
    return answered(notFound(stored === undefined ? 'instance' : 'binding'));
  }
  const { parameters } = binding;
  const body = { ...bindingBody(stored, binding, around), parameters };
  return answered({ status: 200, body });
}

export function decideUnbind(request: UnbindRequest, stored: Instance | undefined): Decision {
  if (stored === undefined) {
    return answered(gone('instance'));
  }
  const binding = findBinding(stored, request.bindingId);
  if (binding === undefined) {
    return answered(gone('binding'));
  }
  const stranger = whoElse(request, stored);
  if (stranger !== undefined) {
    return refused(400, 'BadRequest', stranger);
  }
  if (standingOf(stored) === 'updating') {
    return answered(concurrent('the instance is updating'));
  }
  const bindings = stored.bindings.filter(({ id }) => id !== request.bindingId);
  return { kind: 'ask', next: { ...stored, bindings }, answer: { status: 200, body: {} } };
}

/** A binding is made at once, so one that is there has succeeded; no operation was ever named. */
export function decideBindingOperation(
  request: BindingOperationRequest,
  stored: Instance | undefined,
): Decision {
  if (stored === undefined || findBinding(stored, request.bindingId) === undefined) {
    return answered(gone(stored === undefined ? 'instance' : 'binding'));
  }
  const stranger = whoElse(request, stored);
  if (stranger !== undefined) {
    return refused(400, 'BadRequest', stranger);
  }
  return request.operation === undefined
    ? answered({ status: 200, body: { state: 'succeeded' } })
    : refused(
        400,
        'BadRequest',
        `operation is ${shown(request.operation)}: bindings are made at once, there is none`,
      );
}

function findBinding({ bindings }: Instance, id: string): Binding | undefined {
  return bindings.find((binding) => binding.id === id);
}

function bindingBody(stored: Instance, binding: Binding, { catalog }: Surroundings) {
  const instance = inForce(stored);
  const plan = findPlan(findService(catalog, instance.serviceId), instance.planId);
  return { credentials: toCredentials(instance, binding, plan?.fsType) };
}
