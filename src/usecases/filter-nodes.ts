import { sumBytes } from '../model/bytes.ts';
import type { Pod } from '../model/pod.ts';
import {
  describeRejection,
  fitNode,
  groupByPool,
  type Fit,
  type NeedsByPool,
  type Rejection,
  type Verdict,
} from '../scheduling/filter.ts';
import type { BindLag } from '../scheduling/bind-lag.ts';
import type { Holds, Place } from '../scheduling/holds.ts';
import type { PodNeeds } from '../scheduling/needs.ts';
import type { BindLoad } from './bind-load.ts';
import type { Lookup, NodeReader } from './cluster.ts';
import type { Now } from './ports.ts';
import { resolveNeeds } from './resolve-needs.ts';

export interface FilterAnswer {
  readonly feasible: readonly string[];
  /** Reason by node; every node that is not feasible has one. */
  readonly rejected: ReadonlyMap<string, string>;
  /** Set where no node was even looked at: the pod itself cannot be placed. */
  readonly refusal?: string | undefined;
  /** What the nodes lack, for people; empty where some node is feasible. */
  readonly rejections: ReadonlyMap<string, Rejection>;
  readonly needs: PodNeeds;
}

export interface FilterPorts {
  readonly lookup: Lookup;
  readonly nodes: NodeReader;
  readonly holds: Holds;
  readonly lag: BindLag;
  readonly load: Pick<BindLoad, 'running'>;
  readonly now: Now;
  /** Resolves at the next end of a hold or a bind, or after `ms`. */
  readonly nextChange: (ms: number) => Promise<void>;
}

/**
 * kube-scheduler goes on filtering while its binds run, without a limit. With hundreds of them
 * open none is answered in time; with this many the agents and the API server are busy.
 */
const manyBinds = 48;
/** How long a filter lets that many binds catch up; a pod is never held up for longer. */
const catchUpMs = 2_000;
/**
 * How many times a hold's length a filter waits for the binds of others, when nothing is left for it
 * otherwise. Holds whose bind has not come lapse before; those that are being bound become volumes
 * mostly.
 */
const patience = 3;

const nothing: PodNeeds = { volumes: [], pins: [] };

export type FilterNodes = (pod: Pod, nodeNames: readonly string[]) => Promise<FilterAnswer>;

/**
 * Says which of `nodeNames` can take all volumes of a pod.
 *
 * Pods filtered just before may still be on their way to their bind. Nodes that fit beside
 * them are given first. Where only they stand in the way, their binds are awaited for a moment;
 * then the answer no longer minds them, and the bind has the last word.
 */
export function filterNodes(ports: FilterPorts): FilterNodes {
  return async (pod, nodeNames) => {
    const resolved = await resolveNeeds(pod, ports.lookup);
    if (!resolved.ok) {
      return refuseAll(nodeNames, resolved.error.message);
    }
    const { needs } = resolved.value;
    const groups = groupByPool(needs.volumes);
    if (groups.length === 0 && needs.pins.length === 0) {
      return { feasible: nodeNames, rejected: new Map(), rejections: new Map(), needs };
    }
    await letBindsCatchUp(ports);
    const asked = { pod, needs, groups, nodeNames };
    // What it held after an earlier attempt must not stand in its own way.
    ports.holds.end(pod.uid);
    const { holdMs } = ports.lag;
    const deadline = ports.now() + patience * holdMs;
    let judged = judge(asked, ports, true);
    while (judged.places.length === 0 && judged.heldBack) {
      const left = deadline - ports.now();
      if (left > 0) {
        await ports.nextChange(Math.min(left, holdMs));
      }
      judged = judge(asked, ports, left > 0);
    }
    if (groups.length > 0 && judged.places.length > 0) {
      ports.holds.put(pod.uid, judged.places, ports.now() + holdMs);
      ports.lag.filtered(pod.uid, ports.now());
    }
    return judged.answer;
  };
}

async function letBindsCatchUp({ load, now, nextChange }: FilterPorts): Promise<void> {
  const deadline = now() + catchUpMs;
  for (let left = catchUpMs; left > 0 && load.running >= manyBinds; left = deadline - now()) {
    await nextChange(left);
  }
}

/** The same judgement without waiting or holding anything: for people who ask. */
export function judgeNodes(ports: FilterPorts): FilterNodes {
  return async (pod, nodeNames) => {
    const resolved = await resolveNeeds(pod, ports.lookup);
    if (!resolved.ok) {
      return refuseAll(nodeNames, resolved.error.message);
    }
    const { needs } = resolved.value;
    const groups = groupByPool(needs.volumes);
    return judge({ pod, needs, groups, nodeNames }, ports, false).answer;
  };
}

interface Asked {
  readonly pod: Pod;
  readonly needs: PodNeeds;
  readonly groups: NeedsByPool;
  readonly nodeNames: readonly string[];
}

interface Judged {
  readonly answer: FilterAnswer;
  /** The feasible nodes, with what the pod would take there. */
  readonly places: readonly Place[];
  /** Some node fits, but for what other pods hold there. */
  readonly heldBack: boolean;
}

function judge(asked: Asked, ports: FilterPorts, mindHolds: boolean): Judged {
  const minds = mindHolds && ports.holds.anyBut(asked.pod.uid, ports.now());
  const feasible: string[] = [];
  const places: Place[] = [];
  const rejections = new Map<string, Rejection>();
  const rejected = new Map<string, string>();
  let heldBack = false;
  const textOf = rejectionTexts();
  for (const name of asked.nodeNames) {
    const { fit, rejection } = judgeNode(asked, ports, name);
    const held = minds ? heldByOthers(ports.holds, name, fit) : undefined;
    const no = rejection ?? held;
    heldBack ||= held !== undefined;
    if (no) {
      rejections.set(name, no);
      rejected.set(name, textOf(no));
    } else {
      feasible.push(name);
      places.push({ node: name, fit: fit ?? [] });
    }
  }
  return { answer: { feasible, rejected, rejections, needs: asked.needs }, places, heldBack };
}

/** Thousands of nodes are refused for the same few reasons: most texts are made once. */
function rejectionTexts(): (rejection: Rejection) => string {
  let last: Rejection | undefined;
  let text = '';
  return (rejection) => {
    if (!last || !haveSameText(last, rejection)) {
      text = describeRejection(rejection);
      last = rejection;
    }
    return text;
  };
}

function haveSameText(a: Rejection, b: Rejection): boolean {
  const pool = (one: Rejection): string => ('pool' in one ? one.pool : '');
  const asked = (one: Rejection): number => ('asked' in one ? one.asked : 0);
  const claim = (one: Rejection): string => ('claim' in one ? one.claim : '');
  return a.kind === b.kind && pool(a) === pool(b) && asked(a) === asked(b) && claim(a) === claim(b);
}

function judgeNode({ needs, groups }: Asked, { nodes }: FilterPorts, name: string): Verdict {
  const node = nodes.node(name);
  return node ? fitNode(needs.pins, groups, node) : { rejection: { kind: 'unknown-node' } };
}

function heldByOthers(holds: Holds, node: string, fit: Fit = []): Rejection | undefined {
  for (const { pool, needs, needed, room } of fit) {
    if (holds.heldIn({ node, pool }) + needed > room.free) {
      const asked = sumBytes(needs.map((need) => need.bytes));
      return { kind: 'insufficient', pool, asked, needed, room };
    }
  }
  return undefined;
}

function refuseAll(nodeNames: readonly string[], message: string): FilterAnswer {
  const reason = `berth: ${message}`;
  return {
    feasible: [],
    rejected: new Map(nodeNames.map((name) => [name, reason])),
    rejections: new Map(),
    refusal: message,
    needs: nothing,
  };
}
