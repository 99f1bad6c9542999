import { claimText, isOurs, type Claim, type VolumeClass } from '../model/claim.ts';
import { schedulerName } from '../model/names.ts';
import type { ClaimTemplate, Pod, PodClaim } from '../model/pod.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { ClassParameters } from '../model/storage-class.ts';
import type { Pin, PodNeeds, PodRefusal, VolumeNeed } from '../scheduling/needs.ts';
import { needOf, refuseTooSmall, unusable, usableClaim } from './claim-need.ts';
import type { Lookup } from './cluster.ts';

/** An unbound claim of ours, with all that is needed to make its volume. */
export interface UnboundClaim {
  readonly claim: Claim;
  readonly volumeClass: VolumeClass;
  readonly parameters: ClassParameters;
  readonly need: VolumeNeed;
}

export interface ResolvedPod {
  readonly needs: PodNeeds;
  /** Claims of ours that have no PersistentVolume yet, cut or not. */
  readonly unbound: readonly UnboundClaim[];
  /** Claims of generic ephemeral volumes that do not exist yet. */
  readonly awaited: readonly string[];
}

type Found =
  | { readonly kind: 'pin'; readonly pin: Pin; readonly unbound?: UnboundClaim }
  | { readonly kind: 'need'; readonly need: VolumeNeed; readonly unbound?: UnboundClaim }
  | { readonly kind: 'foreign' };

/**
 * Finds out what all volumes of a pod ask of a node: new ones to be cut, and places that
 * existing ones dictate. One claim that cannot be used makes the whole pod wait.
 */
export async function resolveNeeds(
  pod: Pod,
  lookup: Lookup,
): Promise<Result<ResolvedPod, PodRefusal>> {
  const found = await Promise.all(pod.claims.map((claim) => resolveClaim(pod, claim, lookup)));
  const volumes: VolumeNeed[] = [];
  const pins: Pin[] = [];
  const unbound: UnboundClaim[] = [];
  const awaited: string[] = [];
  for (const one of found) {
    if (!one.ok) {
      return one;
    }
    const part = one.value;
    if (part.kind === 'pin') {
      pins.push(part.pin);
    } else if (part.kind === 'need' && !volumes.some(({ claim }) => claim === part.need.claim)) {
      volumes.push(part.need);
    }
    collect(part, unbound, awaited);
  }
  return ok({ needs: { volumes, pins }, unbound, awaited });
}

/** A pod may name one claim twice; it is made once. */
function collect(found: Found, unbound: UnboundClaim[], awaited: string[]): void {
  if (found.kind === 'foreign') {
    return;
  }
  if (found.unbound) {
    const { uid } = found.unbound.claim.ref;
    if (!unbound.some((other) => other.claim.ref.uid === uid)) {
      unbound.push(found.unbound);
    }
  } else if (found.kind === 'need') {
    awaited.push(found.need.claim);
  }
}

async function resolveClaim(
  pod: Pod,
  { name, template }: PodClaim,
  lookup: Lookup,
): Promise<Result<Found, PodRefusal>> {
  const text = claimText({ namespace: pod.namespace, name });
  const claim = await lookup.claim(pod.namespace, name);
  if (!claim) {
    return template
      ? resolveAwaited(pod, { name, template }, lookup)
      : err({ kind: 'claim-missing', message: `claim ${text} does not exist` });
  }
  if (template && claim.ownerPod?.uid !== pod.uid) {
    return unusable(`claim ${text} was not made for this pod, although the pod asks for its own`);
  }
  if (claim.deleting) {
    return unusable(`claim ${text} is being deleted`);
  }
  if (claim.lost) {
    return unusable(`claim ${text} has lost its volume`);
  }
  return claim.volumeName === ''
    ? resolveUnbound(pod, claim, lookup)
    : resolveBound(claim, text, lookup);
}

async function resolveAwaited(
  pod: Pod,
  { name, template }: Required<PodClaim> & { readonly template: ClaimTemplate },
  lookup: Lookup,
): Promise<Result<Found, PodRefusal>> {
  const text = claimText({ namespace: pod.namespace, name });
  const volumeClass = await lookup.volumeClass(template.className);
  if (!volumeClass || !isOurs(volumeClass)) {
    return resolveForeign(pod, text, volumeClass);
  }
  const need = needOf({ text, uid: '' }, volumeClass, template);
  if (!need.ok) {
    return need;
  }
  const small = refuseTooSmall(need.value, lookup);
  return small ?? ok({ kind: 'need', need: need.value.need });
}

async function resolveBound(
  claim: Claim,
  text: string,
  lookup: Lookup,
): Promise<Result<Found, PodRefusal>> {
  const volume = await lookup.persistentVolume(claim.volumeName);
  if (!volume) {
    return unusable(`claim ${text} is bound to ${claim.volumeName}, which does not exist`);
  }
  if (volume.terms.length === 0) {
    return ok({ kind: 'foreign' });
  }
  return ok({ kind: 'pin', pin: { kind: 'affinity', claim: text, terms: volume.terms } });
}

async function resolveUnbound(
  pod: Pod,
  claim: Claim,
  lookup: Lookup,
): Promise<Result<Found, PodRefusal>> {
  const text = claimText(claim.ref);
  const volumeClass = await lookup.volumeClass(claim.className);
  if (!volumeClass || !isOurs(volumeClass)) {
    return resolveForeign(pod, text, volumeClass);
  }
  const usable = usableClaim(claim, text, volumeClass);
  if (!usable.ok) {
    return usable;
  }
  const { need, parameters } = usable.value;
  const unbound = { claim, volumeClass, parameters, need };
  const volume = lookup.localVolumeOf(claim.ref.uid);
  if (volume?.deleting && volume.published) {
    return unusable(`the volume of claim ${text} is being deleted`);
  }
  // One that was given back before it was used does not tie the pod to its node.
  if (volume && !volume.deleting) {
    return ok({ kind: 'pin', pin: { kind: 'node', claim: text, node: volume.spec.node }, unbound });
  }
  return refuseTooSmall(usable.value, lookup) ?? ok({ kind: 'need', need, unbound });
}

/**
 * Our own scheduler profile has no VolumeBinding: nobody would ever provision a foreign claim
 * there, so the pod is told at once. Other profiles look after their own.
 */
function resolveForeign(
  pod: Pod,
  text: string,
  volumeClass: VolumeClass | undefined,
): Result<Found, PodRefusal> {
  if (pod.schedulerName !== schedulerName) {
    return ok({ kind: 'foreign' });
  }
  const why = volumeClass
    ? `is of class ${volumeClass.name}, which ${schedulerName} cannot provision`
    : 'has no class that exists, so nobody will provision it';
  const message = `claim ${text} is not bound and ${why}`;
  return err({ kind: 'foreign-claim', message });
}
