import { labelValue } from '../model/label-value.ts';
import { nodeLabel } from '../model/names.ts';
import { isNotFound, type KubeApi } from './api.ts';
import { resourcePath } from './paths.ts';

/** Silent for longer than this, a node's reports count as stale. Three renewals fit into it. */
const leaseSeconds = 120;

export interface NodeLease {
  readonly api: KubeApi;
  readonly namespace: string;
  readonly node: string;
}

function nodeLeaseName(node: string): string {
  return `berth-node-${labelValue(node)}`;
}

/** Says that the agent of this node lives. The only thing an idle agent writes. */
export async function renewNodeLease(
  { api, namespace, node }: NodeLease,
  at: number,
): Promise<void> {
  const name = nodeLeaseName(node);
  // A MicroTime has six decimals (apimachinery, meta/v1 micro_time.go).
  const renewTime = new Date(at).toISOString().replace('Z', '000Z');
  const spec = { holderIdentity: node, leaseDurationSeconds: leaseSeconds, renewTime };
  try {
    await api.patch(resourcePath('leases', { namespace, name }), 'merge', { spec });
  } catch (error) {
    if (!isNotFound(error)) {
      throw error;
    }
    const metadata = { name, namespace, labels: { [nodeLabel]: labelValue(node) } };
    await api.create(resourcePath('leases', { namespace }), {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata,
      spec,
    });
  }
}
