import { mutatePod, type PodVerdict, type Routing } from '../admission/mutate-pod.ts';
import type { ClaimFacts, PodScheduling } from '../admission/pod-facts.ts';
import { provisioner } from '../model/names.ts';
import { parseClassParameters } from '../model/storage-class.ts';
import type { AdmissionView, ClaimView, ClassView } from './admit-ports.ts';
import type { Log } from './ports.ts';

/** A volume of a pod that is a claim, or will become one. `claim` names it for people. */
export type PodClaim =
  | { readonly kind: 'named'; readonly claim: string }
  | {
      readonly kind: 'ephemeral';
      readonly claim: string;
      /** As in `ClaimView`. */
      readonly className: string | undefined;
    };

export interface PodRequest {
  /** The namespace of the request; the pod itself may not name it yet. */
  readonly namespace: string;
  /** For the log: the name, or the prefix that the API server will complete. */
  readonly pod: string;
  readonly claims: readonly PodClaim[];
  readonly scheduling: PodScheduling;
}

export interface AdmitPodPorts {
  readonly view: AdmissionView;
  readonly routing: Routing;
  /**
   * Namespaces whose pods are left alone: those that the cluster and Berth itself need to come up.
   * The registration leaves them out too, but by a label that Kubernetes sets only from 1.21 on.
   */
  readonly excluded: readonly string[];
  readonly log: Log;
}

/** Looks up what the pod's claims are and decides what becomes of the pod. */
export async function admitPod(request: PodRequest, ports: AdmitPodPorts): Promise<PodVerdict> {
  const { view, routing, excluded, log } = ports;
  const looked = excluded.includes(request.namespace) ? [] : request.claims;
  const claims = await Promise.all(
    looked.map((claim) =>
      claim.kind === 'named'
        ? named(request.namespace, claim.claim, view)
        : withoutVolume(claim.claim, claim.className, view),
    ),
  );
  const verdict = mutatePod(request.scheduling, claims, routing);
  if (verdict.concerned || verdict.warnings.length > 0) {
    const { namespace, pod } = request;
    const { scheduler, pools, warnings, patch } = verdict;
    const changes = patch.map(({ path }) => path);
    log.info('pod admitted', { namespace, pod, scheduler, pools, changes, warnings });
  }
  return verdict;
}

async function named(namespace: string, claim: string, view: AdmissionView): Promise<ClaimFacts> {
  const found = await view.claim(namespace, claim);
  if (found === undefined) {
    return { claim, kind: 'unknown', reason: 'it does not exist' };
  }
  return found.volume === ''
    ? withoutVolume(claim, found.className, view)
    : withVolume(claim, found, view);
}

async function withoutVolume(
  claim: string,
  className: string | undefined,
  view: AdmissionView,
): Promise<ClaimFacts> {
  const found = await classOf(className, view);
  if (found === undefined) {
    return className === undefined || className === ''
      ? { claim, kind: 'foreign', bound: false }
      : { claim, kind: 'unknown', reason: `StorageClass ${className} does not exist` };
  }
  if (found.provisioner !== provisioner) {
    return { claim, kind: 'foreign', bound: false };
  }
  const parameters = parseClassParameters(found.parameters);
  return parameters.ok
    ? { claim, kind: 'unbound', pool: parameters.value.pool }
    : { claim, kind: 'mistaken', reason: `StorageClass ${found.name}: ${parameters.error}` };
}

async function withVolume(
  claim: string,
  found: ClaimView,
  view: AdmissionView,
): Promise<ClaimFacts> {
  const [volume, itsClass] = await Promise.all([
    view.volume(found.volume),
    classOf(found.className, view),
  ]);
  if (itsClass?.provisioner !== provisioner && volume?.provisionedBy !== provisioner) {
    return { claim, kind: 'foreign', bound: true };
  }
  if (volume === undefined) {
    return { claim, kind: 'lost', volume: found.volume, reason: 'does not exist' };
  }
  return volume.claimUid !== '' && volume.claimUid !== found.uid
    ? { claim, kind: 'lost', volume: found.volume, reason: 'belongs to another claim' }
    : { claim, kind: 'bound', volume: found.volume, terms: volume.terms };
}

async function classOf(
  name: string | undefined,
  view: AdmissionView,
): Promise<ClassView | undefined> {
  if (name === undefined) {
    return view.defaultClass();
  }
  return name === '' ? undefined : view.storageClass(name);
}
