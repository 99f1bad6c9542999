import { isOurs } from '../model/claim.ts';
import type { Pod, PodClaim } from '../model/pod.ts';
import type { Lookup, PodStore } from './cluster.ts';
import type { EventSink, Now } from './ports.ts';

export interface NoticePorts {
  readonly pods: PodStore;
  readonly lookup: Lookup;
  readonly events: EventSink;
  readonly now: Now;
}

/** A busy scheduler has hundreds of pods before this one; it looks at each within seconds. */
const patienceMs = 30_000;
const remindMs = 300_000;

/**
 * Speaks up for a pod with a claim of ours that no scheduler looks at: where none serves the
 * name that the pod asks for, nobody else would ever say why it waits. A scheduler that looks at
 * a pod and does not place it leaves a condition on it.
 *
 * @returns milliseconds after which to look again, or nothing
 */
export function noticeUnscheduled({ pods, lookup, events, now }: NoticePorts) {
  const since = new Map<string, number>();
  return async (key: string): Promise<number | undefined> => {
    const [namespace = '', name = ''] = key.split('/');
    const pod = pods.get(namespace, name);
    if (!pod || !isOverlooked(pod)) {
      since.delete(key);
      return undefined;
    }
    const seenAt = since.get(key) ?? now();
    since.set(key, seenAt);
    const waitedMs = now() - seenAt;
    if (waitedMs < patienceMs) {
      return patienceMs - waitedMs;
    }
    if (!(await hasClaimOfOurs(pod, lookup))) {
      return undefined;
    }
    const { uid, schedulerName } = pod;
    events.warning(
      { apiVersion: 'v1', kind: 'Pod', namespace, name, uid },
      'BerthNotScheduled',
      `no scheduler has looked at it yet: does one run, and lead, that serves schedulerName ${schedulerName}?`,
    );
    return remindMs;
  };
}

function isOverlooked({ nodeName, deleting, claims, seenByScheduler }: Pod): boolean {
  return nodeName === '' && !deleting && claims.length > 0 && !seenByScheduler;
}

async function hasClaimOfOurs({ namespace, claims }: Pod, lookup: Lookup): Promise<boolean> {
  const isOne = async ({ name, template }: PodClaim): Promise<boolean> => {
    const claim = await lookup.claim(namespace, name);
    if (!claim && !template) {
      return false;
    }
    const found = await lookup.volumeClass(claim ? claim.className : template?.className);
    return found !== undefined && isOurs(found);
  };
  return (await Promise.all(claims.map(isOne))).includes(true);
}
