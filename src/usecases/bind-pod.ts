import { claimText } from '../model/claim.ts';
import { describeError } from '../model/errors.ts';
import type { Pod } from '../model/pod.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { BindLag } from '../scheduling/bind-lag.ts';
import type { Holds } from '../scheduling/holds.ts';
import { matchesTerms } from '../scheduling/node-affinity.ts';
import type { Pin } from '../scheduling/needs.ts';
import type { BindLoad } from './bind-load.ts';
import type { Lookup, NodeReader, PodStore } from './cluster.ts';
import type { EventSink, Now, ObjectRef } from './ports.ts';
import type { Provision } from './provision.ts';
import { refuseNewVolumes } from './refuse-new-volumes.ts';
import { resolveNeeds, type ResolvedPod, type UnboundClaim } from './resolve-needs.ts';

export interface BindRequest {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly node: string;
}

export interface BindPorts {
  readonly pods: PodStore;
  /** Reads claims live: what memory says may be older than the pod. */
  readonly lookup: Lookup;
  readonly nodes: NodeReader;
  readonly holds: Holds;
  readonly lag: BindLag;
  readonly load: BindLoad;
  readonly provision: Provision;
  readonly events: EventSink;
  readonly now: Now;
  readonly sleep: (ms: number) => Promise<void>;
}

export type BindPod = (request: BindRequest) => Promise<Result<void, string>>;

/**
 * Binds a pod to a node, after all its volumes have been made there.
 *
 * A repeated call for the same pod and node joins the running one, or finds it done: both are a
 * success. Before the PersistentVolumes exist every failure gives back what this call made.
 */
export function bindPod(ports: BindPorts): BindPod {
  const running = new Map<string, Promise<Result<void, string>>>();
  return (request) => {
    const key = `${request.uid}/${request.node}`;
    const joined = running.get(key);
    if (joined) {
      return joined;
    }
    ports.load.begin();
    const work = bindOnce(request, ports).finally(() => {
      running.delete(key);
      ports.load.end();
    });
    running.set(key, work);
    return work;
  };
}

async function bindOnce(request: BindRequest, ports: BindPorts): Promise<Result<void, string>> {
  ports.lag.bindCame(request.uid, ports.now());
  ports.holds.settle(request.uid, request.node);
  try {
    const result = await tryBind(request, ports);
    if (!result.ok) {
      ports.events.warning(refOf(request), 'BerthBindFailed', result.error);
    }
    return result;
  } catch (error) {
    return err(`bind of ${request.namespace}/${request.name}: ${describeError(error)}`);
  } finally {
    ports.holds.end(request.uid);
  }
}

async function tryBind(request: BindRequest, ports: BindPorts): Promise<Result<void, string>> {
  const { namespace, name, uid, node } = request;
  const pod = await ports.pods.read(namespace, name);
  if (pod?.uid !== uid) {
    return err(`pod ${namespace}/${name} with uid ${uid} is gone`);
  }
  if (pod.nodeName !== '') {
    return pod.nodeName === node ? ok(undefined) : err(`pod runs on node ${pod.nodeName} already`);
  }
  if (pod.deleting) {
    return err(`pod ${namespace}/${name} is being deleted`);
  }
  const resolved = await resolveWithOwnClaims(pod, ports);
  if (!resolved.ok) {
    return resolved;
  }
  const problem = await makeVolumes(pod, node, resolved.value, ports);
  return problem === undefined ? postBinding(pod, node, ports) : err(problem);
}

/** @returns why the pod cannot be bound, or nothing where all its volumes are on the node */
async function makeVolumes(
  pod: Pod,
  node: string,
  { needs, unbound }: ResolvedPod,
  ports: BindPorts,
): Promise<string | undefined> {
  const stray = needs.pins.find((pin) => !admits(pin, node, ports.nodes));
  if (stray) {
    return `the volume of claim ${stray.claim} is not on node ${node}`;
  }
  const refusal = refuseNewVolumes(pod, needs, ports.nodes.node(node));
  if (refusal !== undefined || unbound.length === 0) {
    return refusal;
  }
  const made = await ports.provision(unbound, node, () => ports.holds.end(pod.uid));
  return made.ok ? findChange(pod, unbound, ports) : made.error.message;
}

/**
 * What has changed while the volumes were made. API servers of old do not compare the uid in a
 * Binding: without this look they would bind a namesake, or a pod without its volumes.
 */
async function findChange(
  { namespace, name, uid }: Pod,
  unbound: readonly UnboundClaim[],
  { pods, lookup }: BindPorts,
): Promise<string | undefined> {
  const [now, claims] = await Promise.all([
    pods.read(namespace, name),
    Promise.all(unbound.map(({ claim: { ref } }) => lookup.claim(ref.namespace, ref.name))),
  ]);
  if (now?.uid !== uid) {
    return `pod ${namespace}/${name} with uid ${uid} is gone`;
  }
  const replaced = unbound.find(({ claim }, i) => claims[i]?.ref.uid !== claim.ref.uid);
  return replaced && `claim ${claimText(replaced.claim.ref)} was deleted while its volume was made`;
}

async function postBinding(
  pod: Pod,
  node: string,
  { pods }: BindPorts,
): Promise<Result<void, string>> {
  if (await pods.bind(pod, node)) {
    return ok(undefined);
  }
  const now = await pods.read(pod.namespace, pod.name);
  return now?.uid === pod.uid && now.nodeName === node
    ? ok(undefined)
    : err(`the API server refused to bind the pod: it ${describeFate(pod, now)}`);
}

function describeFate(pod: Pod, now: Pod | undefined): string {
  if (now?.uid !== pod.uid) {
    return 'is gone';
  }
  return now.nodeName === '' ? 'is being deleted' : `runs on node ${now.nodeName}`;
}

/** How long and how often the claims of generic ephemeral volumes are awaited. */
const claimPauses = [20, 50, 100, 200, 400, 800, 1500];

/** The controller that makes the claims of generic ephemeral volumes may be a step behind. */
async function resolveWithOwnClaims(
  pod: Pod,
  { lookup, sleep }: BindPorts,
): Promise<Result<ResolvedPod, string>> {
  for (const pause of [...claimPauses, 0]) {
    const resolved = await resolveNeeds(pod, lookup);
    if (!resolved.ok) {
      return err(resolved.error.message);
    }
    if (resolved.value.awaited.length === 0) {
      return ok(resolved.value);
    }
    await sleep(pause);
  }
  return err('the claims of its generic ephemeral volumes have not been made');
}

/** Whether a pod that is tied by `pin` can run on a node. */
export function admits(pin: Pin, node: string, nodes: NodeReader): boolean {
  return pin.kind === 'node'
    ? pin.node === node
    : matchesTerms(pin.terms, node, nodes.node(node)?.labels ?? {});
}

function refOf({ namespace, name, uid }: BindRequest): ObjectRef {
  return { apiVersion: 'v1', kind: 'Pod', namespace, name, uid };
}
