import type { Json } from './plan.ts';

type JsonObject = Readonly<Record<string, Json>>;

/** Requests as they were read: the form is proven, what they name is not. */
export interface ProvisionRequest {
  readonly instanceId: string;
  readonly serviceId: string;
  readonly planId: string;
  readonly parameters: JsonObject;
  readonly context: JsonObject;
  readonly maintenanceVersion?: string | undefined;
  readonly acceptsIncomplete: boolean;
}

/** What is missing stays as it is. */
export interface UpdateRequest {
  readonly instanceId: string;
  readonly serviceId: string;
  readonly planId?: string | undefined;
  readonly parameters?: JsonObject | undefined;
  readonly context?: JsonObject | undefined;
  readonly maintenanceVersion?: string | undefined;
  readonly acceptsIncomplete: boolean;
}

export interface DeprovisionRequest {
  readonly instanceId: string;
  readonly serviceId: string;
  readonly planId: string;
  readonly acceptsIncomplete: boolean;
}

export interface LastOperationRequest {
  readonly instanceId: string;
  readonly serviceId?: string | undefined;
  readonly planId?: string | undefined;
  readonly operation?: string | undefined;
}

export interface BindRequest {
  readonly instanceId: string;
  readonly bindingId: string;
  readonly serviceId: string;
  readonly planId: string;
  readonly parameters: JsonObject;
  readonly context: JsonObject;
}

export interface UnbindRequest {
  readonly instanceId: string;
  readonly bindingId: string;
  readonly serviceId: string;
  readonly planId: string;
}

export interface BindingOperationRequest extends LastOperationRequest {
  readonly bindingId: string;
}
