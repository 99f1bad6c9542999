import type * as requests from '../broker/requests.ts';
import { isJsonObject } from '../broker/same.ts';
import { err, ok, type Result } from '../model/result.ts';
import { fieldsOf, type Fields } from './broker-fields.ts';

/** The parts of an HTTP request that the Open Service Broker API puts its fields into. */
export interface Parts {
  /** From the path, decoded: `instance_id`, `binding_id`. */
  readonly path: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

/** A request, or every mistake of it in one text. */
type Read<T> = Result<T, string>;

/** Deeper values are no parameters that anybody means, and cost whoever walks through them. */
const deepest = 32;

export function readProvision({ path, query, body }: Parts): Read<requests.ProvisionRequest> {
  return readBody(body, (fields) => {
    const organization = fields.optionalText('organization_guid');
    const space = fields.optionalText('space_guid');
    const context = fields.object('context');
    if (context === undefined) {
      // What replaces the two may stand for them.
      fields.text('organization_guid');
      fields.text('space_guid');
    }
    return {
      ...instanceOf(path, fields),
      serviceId: fields.text('service_id'),
      planId: fields.text('plan_id'),
      parameters: fields.object('parameters') ?? {},
      context: {
        ...(organization !== undefined && { organization_guid: organization }),
        ...(space !== undefined && { space_guid: space }),
        ...context,
      },
      maintenanceVersion: fields.within('maintenance_info').optionalText('version'),
      acceptsIncomplete: acceptsIncomplete(query, fields),
    };
  });
}

export function readUpdate({ path, query, body }: Parts): Read<requests.UpdateRequest> {
  return readBody(body, (fields) => {
    const previous = fields.within('previous_values');
    for (const name of ['service_id', 'plan_id', 'organization_id', 'space_id']) {
      previous.optionalText(name);
    }
    return {
      ...instanceOf(path, fields),
      serviceId: fields.text('service_id'),
      planId: fields.optionalText('plan_id'),
      parameters: fields.object('parameters'),
      context: fields.object('context'),
      maintenanceVersion: fields.within('maintenance_info').optionalText('version'),
      acceptsIncomplete: acceptsIncomplete(query, fields),
    };
  });
}

export function readDeprovision({ path, query }: Parts): Read<requests.DeprovisionRequest> {
  return readQuery(query, (fields) => ({
    ...instanceOf(path, fields),
    serviceId: fields.text('service_id'),
    planId: fields.text('plan_id'),
    acceptsIncomplete: fields.flag('accepts_incomplete'),
  }));
}

export function readLastOperation({ path, query }: Parts): Read<requests.LastOperationRequest> {
  return readQuery(query, (fields) => ({ ...instanceOf(path, fields), ...hints(fields) }));
}

export function readBindingOperation(parts: Parts): Read<requests.BindingOperationRequest> {
  return readQuery(parts.query, (fields) => ({
    ...bindingOf(parts.path, fields),
    ...hints(fields),
  }));
}

export function readBind({ path, query, body }: Parts): Read<requests.BindRequest> {
  return readBody(body, (fields) => {
    acceptsIncomplete(query, fields);
    fields.optionalText('app_guid');
    fields.within('bind_resource').optionalText('app_guid');
    if (fields.optionalText('predecessor_binding_id') !== undefined) {
      fields.refuse('predecessor_binding_id', 'bindings of these plans cannot be rotated');
    }
    return {
      ...bindingOf(path, fields),
      serviceId: fields.text('service_id'),
      planId: fields.text('plan_id'),
      parameters: fields.object('parameters') ?? {},
      context: fields.object('context') ?? {},
    };
  });
}

export function readUnbind({ path, query }: Parts): Read<requests.UnbindRequest> {
  return readQuery(query, (fields) => {
    fields.flag('accepts_incomplete');
    return {
      ...bindingOf(path, fields),
      serviceId: fields.text('service_id'),
      planId: fields.text('plan_id'),
    };
  });
}

/** For the two requests that only show something. */
export function readFetch({
  path,
  query,
}: Parts): Read<{ readonly instanceId: string; readonly bindingId?: string }> {
  return readQuery(query, (fields) => {
    hints(fields);
    return path['binding_id'] === undefined ? instanceOf(path, fields) : bindingOf(path, fields);
  });
}

function readQuery<T>(query: Parts['query'], read: (fields: Fields) => T): Read<T> {
  const fields = fieldsOf(query);
  const value = read(fields);
  return fields.mistakes.length === 0 ? ok(value) : err(fields.mistakes.join('; '));
}

function readBody<T>(body: unknown, read: (fields: Fields) => T): Read<T> {
  if (!isJsonObject(body)) {
    return err('the body is missing or no JSON object');
  }
  if (isTooDeep(body)) {
    return err(`the body is nested deeper than ${deepest} levels`);
  }
  return readQuery(body, read);
}

function instanceOf(path: Parts['path'], { mistakes }: Fields) {
  return { instanceId: fieldsOf(path, '', mistakes).text('instance_id') };
}

function bindingOf(path: Parts['path'], fields: Fields) {
  const bindingId = fieldsOf(path, '', fields.mistakes).text('binding_id');
  return { ...instanceOf(path, fields), bindingId };
}

function hints(fields: Fields) {
  return {
    serviceId: fields.optionalText('service_id'),
    planId: fields.optionalText('plan_id'),
    operation: fields.optionalText('operation'),
  };
}

function acceptsIncomplete(query: Parts['query'], { mistakes }: Fields): boolean {
  return fieldsOf(query, '', mistakes).flag('accepts_incomplete');
}

function isTooDeep(value: unknown): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; depth < deepest && level.length > 0; depth += 1) {
    level = level.flatMap((one): unknown[] =>
      typeof one === 'object' && one !== null ? Object.values(one) : [],
    );
  }
  return level.length > 0;
}
