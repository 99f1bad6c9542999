/** The bodies of answers, as the tables of the specification (v2.17) have them. */
const text = { type: 'string', minLength: 1 };
const flag = { type: 'boolean' };

const parametersSchema = {
  type: 'object',
  required: ['parameters'],
  properties: {
    parameters: { type: 'object', required: ['$schema'], properties: { $schema: text } },
  },
};

const maintenance = {
  type: 'object',
  required: ['version'],
  properties: {
    version: { type: 'string', pattern: '^[0-9]+[.][0-9]+[.][0-9]+' },
    description: text,
  },
};

const plan = {
  type: 'object',
  required: ['id', 'name', 'description'],
  properties: {
    ...{ id: text, name: text, description: text, metadata: { type: 'object' } },
    ...{ free: flag, bindable: flag, binding_rotatable: flag, plan_updateable: flag },
    maximum_polling_duration: { type: 'integer' },
    maintenance_info: maintenance,
    schemas: {
      type: 'object',
      properties: {
        service_instance: {
          type: 'object',
          properties: { create: parametersSchema, update: parametersSchema },
        },
        service_binding: { type: 'object', properties: { create: parametersSchema } },
      },
    },
  },
};

const service = {
  type: 'object',
  required: ['name', 'id', 'description', 'bindable', 'plans'],
  properties: {
    ...{ id: text, name: text, description: text, metadata: { type: 'object' } },
    tags: { type: 'array', items: text },
    requires: {
      type: 'array',
      items: { enum: ['syslog_drain', 'route_forwarding', 'volume_mount'] },
    },
    ...{ bindable: flag, instances_retrievable: flag, bindings_retrievable: flag },
    ...{ allow_context_updates: flag, plan_updateable: flag },
    plans: { type: 'array', minItems: 1, items: plan },
  },
};

const instanceMetadata = {
  type: 'object',
  properties: { labels: { type: 'object' }, attributes: { type: 'object' } },
};

/** RFC 3339, as `expires_at` and `renew_before` are written. */
const time = { type: 'string', pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}([.]\\d+)?Z$' };

export const schemas = {
  catalog: {
    type: 'object',
    required: ['services'],
    properties: { services: { type: 'array', items: service } },
  },
  /** 200 and 201 of a provision, 200 of an update. */
  done: {
    type: 'object',
    properties: { dashboard_url: { type: 'string' }, metadata: instanceMetadata },
    additionalProperties: false,
  },
  accepted: {
    type: 'object',
    required: ['operation'],
    properties: {
      dashboard_url: { type: 'string' },
      operation: { type: 'string', minLength: 1, maxLength: 10_000 },
      metadata: instanceMetadata,
    },
    additionalProperties: false,
  },
  empty: { type: 'object', additionalProperties: false },
  instance: {
    type: 'object',
    properties: {
      ...{ service_id: text, plan_id: text, dashboard_url: text },
      parameters: { type: 'object' },
      maintenance_info: maintenance,
      metadata: instanceMetadata,
    },
    additionalProperties: false,
  },
  lastOperation: {
    type: 'object',
    required: ['state'],
    properties: {
      state: { enum: ['in progress', 'succeeded', 'failed'] },
      description: text,
      instance_usable: flag,
      update_repeatable: flag,
    },
    additionalProperties: false,
  },
  binding: {
    type: 'object',
    required: ['credentials'],
    properties: {
      metadata: {
        type: 'object',
        properties: { expires_at: time, renew_before: time },
        additionalProperties: false,
      },
      credentials: { type: 'object' },
      parameters: { type: 'object' },
      volume_mounts: { type: 'array' },
      endpoints: { type: 'array' },
    },
    additionalProperties: false,
  },
  error: {
    type: 'object',
    required: ['error', 'description'],
    properties: {
      error: { type: 'string', pattern: '^[A-Za-z]+$' },
      description: text,
      instance_usable: flag,
      update_repeatable: flag,
    },
    additionalProperties: false,
  },
} as const;

export type SchemaName = keyof typeof schemas;
