import { claimText, isOurs, type Claim } from '../model/claim.ts';
import { describeError, PermanentError } from '../model/errors.ts';
import { volumeName } from '../model/names.ts';
import type { Pod } from '../model/pod.ts';
import type { Holds } from '../scheduling/holds.ts';
import { admits } from './bind-pod.ts';
import type { ClaimStore, Lookup, NodeReader, PersistentVolumeStore, PodStore } from './cluster.ts';
import type { EventSink, ObjectRef } from './ports.ts';
import type { Provision } from './provision.ts';
import { refuseNewVolumes } from './refuse-new-volumes.ts';
import { resolveNeeds } from './resolve-needs.ts';

export interface ProvisionClaimPorts {
  readonly claims: ClaimStore;
  readonly pods: PodStore;
  readonly persistentVolumes: PersistentVolumeStore;
  /** Reads claims live. */
  readonly lookup: Lookup;
  readonly nodes: NodeReader;
  readonly holds: Pick<Holds, 'end'>;
  readonly provision: Provision;
  readonly events: EventSink;
}

const retryMs = 10_000;

/**
 * Provisions for pods that did not come by our bind verb: another scheduler has chosen the node
 * (`selected-node` on the claim), or the pod was assigned to its node by hand. All claims of
 * the pod are made together, or none is.
 *
 * Where it is impossible the choice is taken back, so that the scheduler chooses again.
 *
 * @returns milliseconds after which to look again, or nothing
 */
export function provisionClaim(ports: ProvisionClaimPorts) {
  return async (key: string): Promise<number | undefined> => {
    const [namespace = '', name = ''] = key.split('/');
    const claim = await ports.claims.read(namespace, name);
    if (!claim || !isWaiting(claim, ports) || !(await isOfOurClass(claim, ports))) {
      return undefined;
    }
    const users = usersOf(claim, ports.pods);
    return users.length > 0 ? provisionForUsers(users, claim, ports) : undefined;
  };
}

function isWaiting(
  { ref, volumeName: bound, deleting }: Claim,
  { persistentVolumes }: ProvisionClaimPorts,
): boolean {
  return bound === '' && !deleting && !persistentVolumes.get(volumeName(ref.uid));
}

/** The choice of a node for anybody else's claim is not ours to take back. */
async function isOfOurClass(
  { className }: Claim,
  { lookup }: ProvisionClaimPorts,
): Promise<boolean> {
  const volumeClass = await lookup.volumeClass(className);
  return volumeClass !== undefined && isOurs(volumeClass);
}

/**
 * The pods for whose sake the claim may be provisioned: those that have a node already, or else
 * all that wait, since a scheduler does not say for which of them it chose. They may need other
 * claims too: one that cannot have all of its own must not stop the rest.
 */
function usersOf({ ref }: Claim, pods: PodStore): readonly Pod[] {
  const users = [...pods.pending()].filter(
    (pod) =>
      !pod.deleting &&
      pod.namespace === ref.namespace &&
      pod.claims.some(({ name }) => name === ref.name),
  );
  const assigned = users.filter(({ nodeName }) => nodeName !== '');
  return assigned.length > 0 ? assigned : users;
}

async function provisionForUsers(
  pods: readonly Pod[],
  claim: Claim,
  ports: ProvisionClaimPorts,
): Promise<number | undefined> {
  const problems: string[] = [];
  for (const pod of pods) {
    const node = pod.nodeName || claim.selectedNode;
    const problem = node === '' ? undefined : await tryProvision(pod, claim, node, ports);
    if (problem === undefined) {
      return undefined;
    }
    problems.push(`on node ${node}: ${problem}`);
  }
  pods.forEach((pod, i) => tellWhy(pod, claim, problems[i] ?? '', ports));
  if (pods.some(({ nodeName }) => nodeName !== '')) {
    return retryMs;
  }
  await ports.claims.clearSelectedNode(claim);
  return undefined;
}

function tellWhy(pod: Pod, claim: Claim, why: string, { events }: ProvisionClaimPorts): void {
  const text = `cannot be provisioned ${why}`;
  events.warning(claimObject(claim), 'BerthProvisioningFailed', text);
  events.warning(podObject(pod), 'BerthProvisioningFailed', `${claimText(claim.ref)} ${text}`);
}

/** @returns what keeps it from being done, or nothing where it is done or not ours to do */
async function tryProvision(
  pod: Pod,
  claim: Claim,
  node: string,
  { lookup, nodes, holds, provision }: ProvisionClaimPorts,
): Promise<string | undefined> {
  const resolved = await resolveNeeds(pod, lookup);
  if (!resolved.ok) {
    return resolved.error.message;
  }
  const { unbound, needs } = resolved.value;
  if (!unbound.some((one) => one.claim.ref.uid === claim.ref.uid)) {
    return undefined;
  }
  const elsewhere = needs.pins.find((pin) => !admits(pin, node, nodes));
  if (elsewhere) {
    return `the volume of claim ${elsewhere.claim} is on another node`;
  }
  const refusal = refuseNewVolumes(pod, needs, nodes.node(node));
  if (refusal !== undefined) {
    return refusal;
  }
  try {
    const made = await provision(unbound, node, () => holds.end(pod.uid));
    return made.ok ? undefined : made.error.message;
  } catch (error) {
    // Trying again would not help, but another node may.
    if (error instanceof PermanentError) {
      return describeError(error);
    }
    throw error;
  }
}

function claimObject({ ref }: Claim): ObjectRef {
  return { apiVersion: 'v1', kind: 'PersistentVolumeClaim', ...ref };
}

function podObject({ namespace, name, uid }: Pod): ObjectRef {
  return { apiVersion: 'v1', kind: 'Pod', namespace, name, uid };
}
