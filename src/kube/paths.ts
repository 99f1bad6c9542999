import { apiGroup } from '../model/names.ts';

/** Every resource this program touches: its group and version, and whether it has namespaces. */
const resources = {
  nodes: 'api/v1',
  pods: 'api/v1',
  persistentvolumes: 'api/v1',
  persistentvolumeclaims: 'api/v1',
  events: 'api/v1',
  secrets: 'api/v1',
  storageclasses: 'apis/storage.k8s.io/v1',
  leases: 'apis/coordination.k8s.io/v1',
  mutatingwebhookconfigurations: 'apis/admissionregistration.k8s.io/v1',
  validatingwebhookconfigurations: 'apis/admissionregistration.k8s.io/v1',
  storagepools: `apis/${apiGroup}/v1alpha1`,
  storagenodes: `apis/${apiGroup}/v1alpha1`,
  brokerinstances: `apis/${apiGroup}/v1alpha1`,
  localvolumes: `apis/${apiGroup}/v1alpha1`,
} as const;

export type Resource = keyof typeof resources;

export interface Where {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: 'status' | 'binding';
}

/** The path of a collection (no `name`), an object, or a subresource of it. */
export function resourcePath(resource: Resource, where: Where = {}): string {
  const parts = ['', resources[resource]];
  if (where.namespace !== undefined) {
    parts.push('namespaces', encodeURIComponent(where.namespace));
  }
  parts.push(resource);
  if (where.name !== undefined) {
    parts.push(encodeURIComponent(where.name));
  }
  if (where.subresource !== undefined) {
    parts.push(where.subresource);
  }
  return parts.join('/');
}
