import type { Catalog, Json, Plan, Service } from './plan.ts';
import { bindSchema, createSchema, updateSchema } from './schemas.ts';

type JsonObject = Readonly<Record<string, Json>>;

/** The catalog as the specification writes it. */
export function toCatalogJson({ services }: Catalog): JsonObject {
  return { services: services.map(toService) };
}

function toService({ id, name, description, tags, metadata, plans }: Service): JsonObject {
  return {
    ...{ id, name, description, tags },
    ...(metadata !== undefined && { metadata }),
    bindable: true,
    instances_retrievable: true,
    bindings_retrievable: true,
    allow_context_updates: true,
    plan_updateable: true,
    plans: plans.map(toPlan),
  };
}

function toPlan(plan: Plan): JsonObject {
  const { id, name, description, free, metadata, maintenance, updatableTo } = plan;
  const { maximumPollingSeconds } = plan;
  return {
    ...{ id, name, description, free },
    ...(metadata !== undefined && { metadata }),
    bindable: true,
    binding_rotatable: false,
    plan_updateable: updatableTo?.length !== 0,
    ...(maximumPollingSeconds !== undefined && {
      maximum_polling_duration: maximumPollingSeconds,
    }),
    ...(maintenance && { maintenance_info: { ...maintenance } }),
    schemas: {
      service_instance: {
        create: { parameters: createSchema(plan) },
        update: { parameters: updateSchema(plan) },
      },
      service_binding: { create: { parameters: bindSchema(plan.volumeMode) } },
    },
  };
}
