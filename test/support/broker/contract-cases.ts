import { async, bindingPath, ids, instancePath, provisioning, type Ask } from './platform.ts';
import type { SchemaName } from './schemas.ts';
import type { StateName } from './states.ts';

/** One row: in this state, what is asked, and what has to be answered. */
export interface Case {
  readonly what: string;
  readonly state: StateName;
  readonly ask: (id: string) => Ask;
  readonly status: number;
  readonly schema: SchemaName;
  /** The word in `error`. */
  readonly error?: string;
  /** Fields of the body with their values. */
  readonly has?: Readonly<Record<string, unknown>>;
  /** Whether `operation` is the one of the state's last request. */
  readonly sameOperation?: boolean;
  readonly header?: readonly [string, RegExp];
}

type Expected = Omit<Case, 'what' | 'state' | 'ask' | 'schema'>;

/** An answer that is an error has the body of one, whatever else is asked. */
function row(
  what: string,
  state: StateName,
  ask: Case['ask'],
  { schema, ...expected }: Expected & { schema?: SchemaName },
): Case {
  return { what, state, ask, schema: schema ?? 'error', ...expected };
}

const without = (name: string): object =>
  Object.fromEntries(Object.entries(provisioning).filter(([one]) => one !== name));
const put =
  (body: unknown = provisioning, more: Partial<Ask> = {}) =>
  (id: string): Ask => ({ method: 'PUT', path: instancePath(id), query: async, body, ...more });
const patch =
  (body: unknown, more: Partial<Ask> = {}) =>
  (id: string): Ask => ({ method: 'PATCH', path: instancePath(id), query: async, body, ...more });
const remove =
  (query: Readonly<Record<string, string>> = { ...ids, ...async }) =>
  (id: string): Ask => ({ method: 'DELETE', path: instancePath(id), query });
const fetching = (id: string): Ask => ({ path: instancePath(id) });
const poll =
  (query: Readonly<Record<string, string>> = {}) =>
  (id: string): Ask => ({ path: `${instancePath(id)}/last_operation`, query });
const bind =
  (body: unknown = ids, binding = 'b1', query: Readonly<Record<string, string>> = {}) =>
  (id: string): Ask => ({ method: 'PUT', path: bindingPath(id, binding), query, body });
const unbind =
  (binding = 'b1', query: Readonly<Record<string, string>> = ids) =>
  (id: string): Ask => ({ method: 'DELETE', path: bindingPath(id, binding), query });
const fetchBinding =
  (binding = 'b1', query: Readonly<Record<string, string>> = {}) =>
  (id: string): Ask => ({ path: bindingPath(id, binding), query });
const pollBinding =
  (query: Readonly<Record<string, string>> = {}, binding = 'b1') =>
  (id: string): Ask => ({ path: `${bindingPath(id, binding)}/last_operation`, query });
const catalog =
  (headers: Readonly<Record<string, string>> = {}) =>
  (): Ask => ({
    path: '/v2/catalog',
    headers,
  });
const grow = { ...ids, parameters: { size: '4Gi' } };
const to = (plan: string, more: object = {}): object => ({
  service_id: 'disks-id',
  plan_id: plan,
  ...more,
});
const origin = (platform: string, value: unknown): Readonly<Record<string, string>> => ({
  'x-broker-api-originating-identity': `${platform} ${Buffer.from(JSON.stringify(value)).toString('base64')}`,
});

const bad = { status: 400 };
const badParameters = { status: 400, error: 'InvalidParameters' };
const concurrent = { status: 422, error: 'ConcurrencyError' };
const asyncRequired = { status: 422, error: 'AsyncRequired' };
const maintenance = { status: 422, error: 'MaintenanceInfoConflict' };
const unsupported = {
  ...{ status: 422, error: 'UnsupportedChange' },
  has: { instance_usable: true, update_repeatable: false },
};
const conflict = { status: 409 };
const gone = { status: 410 };
const missing = { status: 404 };
const accepted = { status: 202, schema: 'accepted' } as const;
const same = { ...accepted, sameOperation: true };
const done = { status: 200, schema: 'done' } as const;

const headers: readonly Case[] = [
  row('the catalog', 'none', catalog(), {
    status: 200,
    schema: 'catalog',
    header: ['etag', /^"[\w-]{20,}"$/],
  }),
  row('another catalog than the platform knows', 'none', catalog({ 'if-none-match': '"old"' }), {
    status: 200,
    schema: 'catalog',
  }),
  row('without a version', 'none', catalog({ 'x-broker-api-version': '' }), bad),
  row('version 1.0', 'none', catalog({ 'x-broker-api-version': '1.0' }), { status: 412 }),
  row('version 3.0', 'none', catalog({ 'x-broker-api-version': '3.0' }), { status: 412 }),
  row('version 2.9', 'none', catalog({ 'x-broker-api-version': '2.9' }), { status: 412 }),
  row('a version that is none', 'none', catalog({ 'x-broker-api-version': 'two' }), {
    status: 412,
  }),
  ...['2.13', '2.16', '2.18'].map((version) =>
    row(`version ${version}`, 'none', catalog({ 'x-broker-api-version': version }), {
      status: 200,
      schema: 'catalog',
    }),
  ),
  row('without credentials', 'none', catalog({ authorization: '' }), {
    status: 401,
    header: ['www-authenticate', /^Basic realm=/],
  }),
  ...[
    ['another password', 'Basic cGxhdGZvcm06d3Jvbmc='],
    ['another name', 'Basic c29tZWJvZHk6Zmlyc3QtcGFzc3dvcmQ='],
    ['another scheme', 'Bearer abc'],
    ['no base64', 'Basic !!!'],
    ['an empty pair', 'Basic Og=='],
  ].map(([what = '', authorization = '']) =>
    row(`with ${what}`, 'none', catalog({ authorization }), { status: 401 }),
  ),
  row(
    'without credentials for a path that is not known',
    'none',
    () => ({ path: '/v2/nothing', headers: { authorization: '' } }),
    { status: 401 },
  ),
  row(
    'without version to provision',
    'none',
    put(provisioning, { headers: { 'x-broker-api-version': '' } }),
    bad,
  ),
  row('with an identity', 'none', catalog(origin('cloudfoundry', { user_id: 'u' })), {
    status: 200,
    schema: 'catalog',
  }),
  row('with an identity that is a list', 'none', catalog(origin('cloudfoundry', ['u'])), bad),
  row(
    'with an identity that is no base64',
    'none',
    catalog({ 'x-broker-api-originating-identity': 'cloudfoundry ###' }),
    bad,
  ),
  row(
    'with an identity that is no JSON',
    'none',
    catalog({ 'x-broker-api-originating-identity': 'cloudfoundry aGFsbG8=' }),
    bad,
  ),
  row(
    'with an identity without a value',
    'none',
    catalog({ 'x-broker-api-originating-identity': 'cloudfoundry' }),
    bad,
  ),
  row('with a name for the request', 'none', catalog({ 'x-broker-api-request-identity': 'r-17' }), {
    status: 200,
    schema: 'catalog',
    header: ['x-broker-api-request-identity', /^r-17$/],
  }),
  row(
    'with a name for a request that is refused',
    'none',
    catalog({ 'x-broker-api-request-identity': 'r-18', 'x-broker-api-version': '1.0' }),
    { status: 412, header: ['x-broker-api-request-identity', /^r-18$/] },
  ),
  row('a path that is not known', 'none', () => ({ path: '/v2/nothing' }), missing),
  row('the root', 'none', () => ({ path: '/' }), missing),
  row(
    'no id at all',
    'none',
    () => ({ method: 'PUT', path: '/v2/service_instances/', query: async, body: provisioning }),
    missing,
  ),
  row('another method', 'none', () => ({ method: 'POST', path: '/v2/catalog', body: {} }), {
    status: 405,
    header: ['allow', /GET/],
  }),
  row('another method for an instance', 'none', put(provisioning, { method: 'POST' }), {
    status: 405,
  }),
];

const provisions: readonly Case[] = [
  row('a new instance', 'none', put(), accepted),
  row('without optional fields', 'none', put({ ...without('parameters') }), accepted),
  row('with fields nobody knows', 'none', put({ ...provisioning, x_vendor: { a: 1 } }), accepted),
  row(
    'with context in place of the ids',
    'none',
    put({ ...ids, context: provisioning.context }),
    accepted,
  ),
  row(
    'without content type',
    'none',
    put(Buffer.from(JSON.stringify(provisioning)), { headers: { 'content-type': '' } }),
    accepted,
  ),
  row(
    'with charset',
    'none',
    put(provisioning, { headers: { 'content-type': 'application/json; charset=utf-8' } }),
    accepted,
  ),
  row('an id of unusual characters', 'none', (id) => put()(`${id} /ü~%`), accepted),
  row(
    'with the version of maintenance',
    'none',
    put({ ...provisioning, maintenance_info: { version: '1.0.0' } }),
    accepted,
  ),
  row(
    'with a description of maintenance',
    'none',
    put({ ...provisioning, maintenance_info: { version: '1.0.0', description: 'other' } }),
    accepted,
  ),
  row('a set', 'none', put({ ...provisioning, parameters: { count: 3 } }), accepted),
  row('without accepts_incomplete', 'none', put(provisioning, { query: {} }), asyncRequired),
  row(
    'accepts_incomplete false',
    'none',
    put(provisioning, { query: { accepts_incomplete: 'false' } }),
    asyncRequired,
  ),
  row(
    'accepts_incomplete of another kind',
    'none',
    put(provisioning, { query: { accepts_incomplete: 'maybe' } }),
    bad,
  ),
  row(
    'another version of maintenance',
    'none',
    put({ ...provisioning, maintenance_info: { version: '0.9.0' } }),
    maintenance,
  ),
  row(
    'a version where the plan has none',
    'none',
    put({
      ...provisioning,
      ...to('large-id'),
      parameters: {},
      maintenance_info: { version: '1.0.0' },
    }),
    maintenance,
  ),
  ...['service_id', 'plan_id'].flatMap((name) => [
    row(`without ${name}`, 'none', put(without(name)), bad),
    row(`${name} empty`, 'none', put({ ...provisioning, [name]: '' }), bad),
    row(`${name} a number`, 'none', put({ ...provisioning, [name]: 5 }), bad),
    row(`${name} not in the catalog`, 'none', put({ ...provisioning, [name]: 'nobody' }), bad),
  ]),
  row('a plan of another service', 'none', put({ ...provisioning, plan_id: 'raw-id' }), bad),
  row('neither context nor ids', 'none', put(ids), bad),
  row('an empty organization', 'none', put({ ...provisioning, organization_guid: '' }), bad),
  row('an empty space', 'none', put({ ...provisioning, space_guid: '' }), bad),
  row('a context that is a text', 'none', put({ ...provisioning, context: 'kubernetes' }), bad),
  row('parameters that are a list', 'none', put({ ...provisioning, parameters: [] }), bad),
  row(
    'maintenance that is a text',
    'none',
    put({ ...provisioning, maintenance_info: '1.0.0' }),
    bad,
  ),
  row(
    'kubernetes without namespace',
    'none',
    put({ ...provisioning, context: { platform: 'kubernetes' } }),
    bad,
  ),
  row(
    'a namespace that is none',
    'none',
    put({ ...provisioning, context: { platform: 'kubernetes', namespace: '../x' } }),
    bad,
  ),
  row(
    'the namespace of the system',
    'none',
    put({ ...provisioning, context: { platform: 'kubernetes', namespace: 'kube-system' } }),
    bad,
  ),
  row(
    'another platform',
    'none',
    put({ ...provisioning, context: { platform: 'cloudfoundry' } }),
    accepted,
  ),
  row(
    'a parameter nobody knows',
    'none',
    put({ ...provisioning, parameters: { speed: 9 } }),
    badParameters,
  ),
  row(
    'a size that is a number',
    'none',
    put({ ...provisioning, parameters: { size: 5 } }),
    badParameters,
  ),
  row(
    'a size that is none',
    'none',
    put({ ...provisioning, parameters: { size: 'big' } }),
    badParameters,
  ),
  row(
    'a size below the least',
    'none',
    put({ ...provisioning, parameters: { size: '1Mi' } }),
    badParameters,
  ),
  row(
    'a size above the most',
    'none',
    put({ ...provisioning, parameters: { size: '11Gi' } }),
    badParameters,
  ),
  row(
    'a size for a plan that has one',
    'none',
    put({ ...provisioning, ...to('tiny-id', { parameters: { size: '1Gi' } }) }),
    badParameters,
  ),
  row(
    'a count above the most',
    'none',
    put({ ...provisioning, parameters: { count: 4 } }),
    badParameters,
  ),
  row(
    'a count that is no whole number',
    'none',
    put({ ...provisioning, parameters: { count: 1.5 } }),
    badParameters,
  ),
  row('no body', 'none', (id) => ({ method: 'PUT', path: instancePath(id), query: async }), bad),
  row('an empty body', 'none', put(''), bad),
  row('a body that is no JSON', 'none', put('{"service_id":'), bad),
  row('a body that is a list', 'none', put([]), bad),
  row('a body that is null', 'none', put('null'), bad),
  row(
    'another content type',
    'none',
    put(provisioning, { headers: { 'content-type': 'text/plain' } }),
    bad,
  ),
  row(
    'another charset',
    'none',
    put(provisioning, { headers: { 'content-type': 'application/json; charset=latin1' } }),
    bad,
  ),
  row(
    'a body that is too large',
    'none',
    put({ ...provisioning, context: { a: 'x'.repeat(200_000) } }),
    { status: 413 },
  ),
  row(
    'a body that is too deep',
    'none',
    put(`{"service_id":"a","context":${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}}`),
    bad,
  ),
  row('an id that is too long', 'none', () => put()('x'.repeat(1100)), bad),
  row('an id with control characters', 'none', (id) => put()(`${id}\n`), bad),
  row(
    'an id that cannot be decoded',
    'none',
    () => ({ method: 'PUT', path: '/v2/service_instances/%zz', query: async, body: provisioning }),
    bad,
  ),
  row('the same again', 'provisioning', put(), same),
  row(
    'the same again without accepts_incomplete',
    'provisioning',
    put(provisioning, { query: {} }),
    asyncRequired,
  ),
  row(
    'the same again, names in another order',
    'provisioning',
    put(Object.fromEntries(Object.entries(provisioning).reverse())),
    same,
  ),
  row(
    'the same again, with another context',
    'provisioning',
    put({ ...provisioning, context: { ...provisioning.context, instance_name: 'x' } }),
    same,
  ),
  row(
    'other parameters',
    'provisioning',
    put({ ...provisioning, parameters: { size: '4Gi' } }),
    conflict,
  ),
  row('another plan', 'provisioning', put({ ...provisioning, plan_id: 'slow-id' }), conflict),
  row(
    'another namespace',
    'provisioning',
    put({ ...provisioning, context: { platform: 'kubernetes', namespace: 'other' } }),
    conflict,
  ),
  row('the same again when it is there', 'there', put(), done),
  row(
    'the same again, done, without accepts_incomplete',
    'there',
    put(provisioning, { query: {} }),
    done,
  ),
  row(
    'other parameters when it is there',
    'there',
    put({ ...provisioning, parameters: {} }),
    conflict,
  ),
  row(
    'another service when it is there',
    'there',
    put({ ...provisioning, service_id: 'blocks-id', plan_id: 'raw-id', parameters: {} }),
    conflict,
  ),
  row('the same again when it has failed', 'failed to provision', put(), same),
  row('the same while it is updated', 'updating', put(), concurrent),
  row('the same after an update', 'updated', put(), conflict),
  row(
    'what it is after an update',
    'updated',
    put({ ...provisioning, parameters: { size: '4Gi' } }),
    done,
  ),
  row('what it was before an update that failed', 'failed to update', put(), done),
  row('the same while it is deprovisioned', 'deprovisioning', put(), concurrent),
  row('the same when deprovisioning has failed', 'failed to deprovision', put(), done),
  row('the same when it is broken', 'broken by deprovisioning', put(), conflict),
  row('the same while its record goes', 'about to go', put(), concurrent),
  row('the same when it is gone', 'gone', put(), accepted),
];

const fetches: readonly Case[] = [
  row('nothing', 'none', fetching, missing),
  row('being made', 'provisioning', fetching, missing),
  row('never made', 'failed to provision', fetching, missing),
  row('there', 'there', fetching, {
    status: 200,
    schema: 'instance',
    has: {
      service_id: 'disks-id',
      plan_id: 'small-id',
      parameters: { size: '3Gi' },
      maintenance_info: { version: '1.0.0' },
    },
  }),
  row('being updated', 'updating', fetching, concurrent),
  row('updated', 'updated', fetching, {
    status: 200,
    schema: 'instance',
    has: { parameters: { size: '4Gi' } },
  }),
  row('of another plan', 'of another plan', fetching, {
    status: 200,
    schema: 'instance',
    has: { plan_id: 'large-id' },
  }),
  row('as before an update that failed', 'failed to change its plan', fetching, {
    status: 200,
    schema: 'instance',
    has: { plan_id: 'small-id', parameters: { size: '3Gi' } },
  }),
  row('being deprovisioned', 'deprovisioning', fetching, concurrent),
  row('still there after deprovisioning has failed', 'failed to deprovision', fetching, {
    status: 200,
    schema: 'instance',
  }),
  row('about to go', 'about to go', fetching, missing),
  row('gone', 'gone', fetching, missing),
  row('with hints', 'there', (id) => ({ path: instancePath(id), query: ids }), {
    status: 200,
    schema: 'instance',
  }),
  ...['service_id', 'plan_id'].map((name) =>
    row(
      `with an empty hint ${name}`,
      'there',
      (id) => ({ path: instancePath(id), query: { ...ids, [name]: '' } }),
      bad,
    ),
  ),
  row('with hints of what is not there', 'none', (id) => ({ path: instancePath(id), query: ids }), {
    status: 404,
  }),
];

const updates: readonly Case[] = [
  row('larger', 'there', patch(grow), accepted),
  row(
    'larger without the plan',
    'there',
    patch({ service_id: 'disks-id', parameters: { size: '4Gi' } }),
    accepted,
  ),
  row(
    'with previous values',
    'there',
    patch({
      ...grow,
      previous_values: {
        ...ids,
        organization_id: 'org',
        space_id: 'space',
        maintenance_info: { version: '1.0.0' },
      },
    }),
    accepted,
  ),
  row('a larger plan', 'there', patch(to('large-id')), accepted),
  row(
    'a larger plan and size',
    'there',
    patch(to('large-id', { parameters: { size: '20Gi' } })),
    accepted,
  ),
  row('nothing', 'there', patch({ service_id: 'disks-id' }), done),
  row(
    'nothing, without accepts_incomplete',
    'there',
    patch({ service_id: 'disks-id' }, { query: {} }),
    done,
  ),
  row('what it has', 'there', patch({ ...ids, parameters: { size: '3Gi' } }), done),
  row(
    'the context alone',
    'there',
    patch(
      { service_id: 'disks-id', context: { ...provisioning.context, instance_name: 'n' } },
      { query: {} },
    ),
    done,
  ),
  row(
    'the version it has',
    'there',
    patch({ ...ids, maintenance_info: { version: '1.0.0' } }),
    done,
  ),
  row('without accepts_incomplete', 'there', patch(grow, { query: {} }), asyncRequired),
  row(
    'another version of maintenance',
    'there',
    patch({ ...grow, maintenance_info: { version: '2.0.0' } }),
    maintenance,
  ),
  row(
    'a version where the plan has none',
    'there',
    patch(to('large-id', { maintenance_info: { version: '1.0.0' } })),
    maintenance,
  ),
  row('smaller', 'there', patch({ ...ids, parameters: { size: '1Gi' } }), unsupported),
  row('a smaller plan', 'there', patch(to('tiny-id')), unsupported),
  row('a plan of another class', 'there', patch(to('slow-id')), unsupported),
  row(
    'a namespace it is not in',
    'there',
    patch({ service_id: 'disks-id', context: { platform: 'kubernetes', namespace: 'other' } }),
    unsupported,
  ),
  row(
    'a size above the most',
    'there',
    patch({ ...ids, parameters: { size: '1Ti' } }),
    badParameters,
  ),
  row(
    'a size the new plan does not have',
    'there',
    patch(to('large-id', { parameters: { size: '4Gi' } })),
    badParameters,
  ),
  row('another count', 'there', patch({ ...ids, parameters: { count: 2 } }), badParameters),
  row(
    'a parameter nobody knows',
    'there',
    patch({ ...ids, parameters: { speed: 9 } }),
    badParameters,
  ),
  row('without service_id', 'there', patch({ plan_id: 'small-id' }), bad),
  row('another service', 'there', patch({ service_id: 'blocks-id', plan_id: 'raw-id' }), bad),
  row('a plan not in the catalog', 'there', patch(to('nobody')), bad),
  row('an empty plan', 'there', patch(to('')), bad),
  row('parameters that are a text', 'there', patch({ ...ids, parameters: 'x' }), bad),
  row('previous values that are a text', 'there', patch({ ...ids, previous_values: 'x' }), bad),
  row('no body', 'there', patch(undefined), bad),
  row('a body that is no JSON', 'there', patch('{'), bad),
  row('nothing there', 'none', patch(grow), missing),
  row('while it is made', 'provisioning', patch(grow), concurrent),
  row('what was never made', 'failed to provision', patch(grow), {
    status: 422,
    has: { instance_usable: false, update_repeatable: false },
  }),
  row('the same again', 'updating', patch(grow), same),
  row(
    'the same again without accepts_incomplete',
    'updating',
    patch(grow, { query: {} }),
    asyncRequired,
  ),
  row(
    'something else meanwhile',
    'updating',
    patch({ ...ids, parameters: { size: '5Gi' } }),
    concurrent,
  ),
  row('nothing meanwhile', 'updating', patch({ service_id: 'disks-id' }), concurrent),
  row('the same plan again', 'changing its plan', patch(to('large-id')), same),
  row('the same when it is done', 'updated', patch(grow), done),
  row('the same when it has failed', 'failed to update', patch(grow), accepted),
  row('the same when it is broken', 'broken by an update', patch(grow), accepted),
  row('smaller when it is broken', 'broken by an update', patch(to('tiny-id')), {
    ...unsupported,
    has: { instance_usable: false, update_repeatable: false },
  }),
  row('while it is deprovisioned', 'deprovisioning', patch(grow), concurrent),
  row('when deprovisioning has failed', 'failed to deprovision', patch(grow), accepted),
];

const deprovisions: readonly Case[] = [
  row('nothing there', 'none', remove(), gone),
  row('there', 'there', remove(), accepted),
  row('without accepts_incomplete', 'there', remove(ids), asyncRequired),
  row('without service_id', 'there', remove({ plan_id: 'small-id', ...async }), bad),
  row('without plan_id', 'there', remove({ service_id: 'disks-id', ...async }), bad),
  row('an empty service_id', 'there', remove({ ...ids, ...async, service_id: '' }), bad),
  row('another service', 'there', remove({ ...ids, ...async, service_id: 'blocks-id' }), bad),
  row('another plan', 'there', remove({ ...ids, ...async, plan_id: 'large-id' }), bad),
  row('nothing there, without ids', 'none', remove(async), bad),
  row('while it is made', 'provisioning', remove(), accepted),
  row('what was never made', 'failed to provision', remove(), accepted),
  row('while it is updated', 'updating', remove(), concurrent),
  row('the same again', 'deprovisioning', remove(), same),
  row('the same again while it is stopped', 'stopped while provisioning', remove(), same),
  row('the same again without accepts_incomplete', 'deprovisioning', remove(ids), asyncRequired),
  row('after an update, by the plan before', 'of another plan', remove(), accepted),
  row(
    'after an update',
    'of another plan',
    remove({ ...async, service_id: 'disks-id', plan_id: 'large-id' }),
    accepted,
  ),
  row('after an update that failed', 'failed to change its plan', remove(), accepted),
  row('broken', 'broken by an update', remove(), accepted),
  row('again after it has failed', 'failed to deprovision', remove(), accepted),
  row('with bindings', 'bound', remove(), { status: 422, has: { instance_usable: true } }),
  row('about to go', 'about to go', remove(), gone),
  row('gone', 'gone', remove(), gone),
];

const inProgress = {
  status: 200,
  schema: 'lastOperation',
  has: { state: 'in progress' },
  header: ['retry-after', /^\d+$/],
} as const;
const succeeded = { status: 200, schema: 'lastOperation', has: { state: 'succeeded' } } as const;

const polls: readonly Case[] = [
  row('before it has begun', 'provisioning', poll(ids), inProgress),
  row('without hints', 'provisioning', poll(), inProgress),
  row('begun', 'working', poll(), {
    ...inProgress,
    has: { state: 'in progress', description: '1 of 2 volumes are there' },
  }),
  row('there', 'there', poll(ids), succeeded),
  row('failed', 'failed to provision', poll(ids), {
    status: 200,
    schema: 'lastOperation',
    has: {
      state: 'failed',
      description: 'no room on any node',
      instance_usable: undefined,
      update_repeatable: undefined,
    },
  }),
  row('being updated', 'updating', poll(ids), inProgress),
  row('being updated, by the plan before', 'changing its plan', poll(ids), inProgress),
  row(
    'being updated, by the plan after',
    'changing its plan',
    poll({ ...ids, plan_id: 'large-id' }),
    inProgress,
  ),
  row('updated', 'updated', poll(ids), succeeded),
  row('failed to update', 'failed to update', poll(ids), {
    status: 200,
    schema: 'lastOperation',
    has: { state: 'failed', instance_usable: true, update_repeatable: true },
  }),
  row('broken', 'broken by an update', poll(ids), {
    status: 200,
    schema: 'lastOperation',
    has: { state: 'failed', instance_usable: false, update_repeatable: false },
  }),
  row('being deprovisioned', 'deprovisioning', poll(ids), inProgress),
  row('failed to deprovision', 'failed to deprovision', poll(ids), {
    status: 200,
    schema: 'lastOperation',
    has: { state: 'failed', instance_usable: true, update_repeatable: undefined },
  }),
  row('deprovisioned', 'about to go', poll(ids), succeeded),
  row('gone', 'gone', poll(ids), gone),
  row('never there', 'none', poll(ids), gone),
  row('another operation', 'provisioning', poll({ ...ids, operation: 'other' }), bad),
  row('an empty operation', 'provisioning', poll({ ...ids, operation: '' }), bad),
  row('another service', 'provisioning', poll({ service_id: 'blocks-id' }), bad),
  row('another plan', 'provisioning', poll({ plan_id: 'large-id' }), bad),
];

const boundBody = { status: 200, schema: 'binding' } as const;
const binds: readonly Case[] = [
  row('new', 'there', bind(), { status: 201, schema: 'binding' }),
  row(
    'with everything',
    'there',
    bind(
      {
        ...ids,
        app_guid: 'a',
        bind_resource: { app_guid: 'a' },
        context: provisioning.context,
        parameters: { mountPath: '/var/data', readOnly: true },
      },
      'b1',
      async,
    ),
    { status: 201, schema: 'binding' },
  ),
  row(
    'with what Cloud Foundry says of a service key',
    'there',
    bind({
      ...ids,
      bind_resource: { credential_client_id: 'cc_service_key_client' },
      context: { platform: 'cloudfoundry', organization_guid: 'org', space_guid: 'space' },
    }),
    { status: 201, schema: 'binding' },
  ),
  row('a second one', 'bound', bind(ids, 'b2'), { status: 201, schema: 'binding' }),
  row('after an update that failed', 'failed to update', bind(), {
    status: 201,
    schema: 'binding',
  }),
  row('after an update, with the new plan', 'of another plan', bind(to('large-id')), {
    status: 201,
    schema: 'binding',
  }),
  row('the same again', 'bound', bind(), boundBody),
  row(
    'the same id with other parameters',
    'bound',
    bind({ ...ids, parameters: { readOnly: true } }),
    conflict,
  ),
  row('nothing there', 'none', bind(), missing),
  row('while it is made', 'provisioning', bind(), concurrent),
  row('what was never made', 'failed to provision', bind(), { status: 422 }),
  row('broken', 'broken by an update', bind(), { status: 422 }),
  row('while it is updated', 'updating', bind(), concurrent),
  row('while it is deprovisioned', 'deprovisioning', bind(), concurrent),
  row('without service_id', 'there', bind({ plan_id: 'small-id' }), bad),
  row('without plan_id', 'there', bind({ service_id: 'disks-id' }), bad),
  row('another service', 'there', bind({ service_id: 'blocks-id', plan_id: 'raw-id' }), bad),
  row('another plan', 'there', bind(to('large-id')), bad),
  row('an empty app_guid', 'there', bind({ ...ids, app_guid: '' }), bad),
  row('a bind_resource that is a text', 'there', bind({ ...ids, bind_resource: 'app' }), bad),
  row(
    'in the place of another',
    'bound',
    bind({ ...ids, predecessor_binding_id: 'b1' }, 'b2'),
    bad,
  ),
  row('in the place of none', 'bound', bind({ ...ids, predecessor_binding_id: '' }, 'b2'), bad),
  row(
    'a parameter nobody knows',
    'there',
    bind({ ...ids, parameters: { role: 'reader' } }),
    badParameters,
  ),
  row(
    'a path that is none',
    'there',
    bind({ ...ids, parameters: { mountPath: 'data' } }),
    badParameters,
  ),
  row('no body', 'there', bind(''), bad),
  row('a body that is no JSON', 'there', bind('['), bad),
  row(
    'accepts_incomplete of another kind',
    'there',
    bind(ids, 'b1', { accepts_incomplete: '1' }),
    bad,
  ),
  row('an id that is too long', 'there', bind(ids, 'x'.repeat(1100)), bad),
];

const afterBinds: readonly Case[] = [
  row('fetch', 'bound', fetchBinding(), { ...boundBody, has: { parameters: {} } }),
  row('fetch while the instance is updated', 'bound and updating', fetchBinding(), boundBody),
  row('fetch with hints', 'bound', fetchBinding('b1', ids), boundBody),
  row('fetch with an empty hint', 'bound', fetchBinding('b1', { service_id: '' }), bad),
  row('fetch what is not there', 'there', fetchBinding(), missing),
  row('fetch another', 'bound', fetchBinding('b2'), missing),
  row('fetch of no instance', 'none', fetchBinding(), missing),
  row('fetch after the instance is gone', 'gone', fetchBinding(), missing),
  row('poll', 'bound', pollBinding(ids), succeeded),
  row('poll without hints', 'bound', pollBinding(), succeeded),
  row('poll what is not there', 'there', pollBinding(ids), gone),
  row('poll of no instance', 'none', pollBinding(ids), gone),
  row('poll another operation', 'bound', pollBinding({ operation: 'other' }), bad),
  row('poll an empty operation', 'bound', pollBinding({ operation: '' }), bad),
  row('poll with another service', 'bound', pollBinding({ service_id: 'blocks-id' }), bad),
  row('unbind', 'bound', unbind(), { status: 200, schema: 'empty' }),
  row('unbind with accepts_incomplete', 'bound', unbind('b1', { ...ids, ...async }), {
    status: 200,
    schema: 'empty',
  }),
  row('unbind what is not there', 'there', unbind(), gone),
  row('unbind another', 'bound', unbind('b2'), gone),
  row('unbind of no instance', 'none', unbind(), gone),
  row('unbind while the instance is updated', 'bound and updating', unbind(), concurrent),
  row('unbind without service_id', 'bound', unbind('b1', { plan_id: 'small-id' }), bad),
  row('unbind without plan_id', 'bound', unbind('b1', { service_id: 'disks-id' }), bad),
  row(
    'unbind with another service',
    'bound',
    unbind('b1', { ...ids, service_id: 'blocks-id' }),
    bad,
  ),
  row('unbind with another plan', 'bound', unbind('b1', { ...ids, plan_id: 'large-id' }), bad),
  row('unbind while it is deprovisioned', 'deprovisioning', unbind(), gone),
];

/** The whole contract, by endpoint. */
export const contract: Readonly<Record<string, readonly Case[]>> = {
  'headers and paths': headers,
  provision: provisions,
  'fetch an instance': fetches,
  update: updates,
  deprovision: deprovisions,
  'last operation': polls,
  bind: binds,
  'what is asked of bindings': afterBinds,
};
