import type { NodeState, Readiness } from '../model/node.ts';
import type { NodeStore } from '../usecases/cluster.ts';
import type { KubeApi } from './api.ts';
import { readLive } from './live.ts';
import type { Node } from './objects.ts';
import { resourcePath } from './paths.ts';

export function toNodeState({ spec, status }: Node): NodeState {
  const condition = status?.conditions?.find(({ type }) => type === 'Ready');
  const { reason, message, lastTransitionTime: since } = condition ?? {};
  const texts = [reason, message, since && `since ${since}`];
  return {
    ready: readinesses.find((one) => one === condition?.status),
    since: since === undefined ? undefined : Date.parse(since) || undefined,
    said: texts.filter((text) => text !== undefined && text !== '').join(', '),
    unschedulable: spec?.unschedulable === true,
  };
}

const readinesses: readonly Readiness[] = ['True', 'False', 'Unknown'];

/** What of status and spec says how the node is; a heartbeat changes none of it. */
export function trimmedState({ spec, status }: Node): Pick<Node, 'spec' | 'status'> {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const kept = ready && {
    type: ready.type,
    status: ready.status,
    reason: ready.reason,
    message: ready.message,
    lastTransitionTime: ready.lastTransitionTime,
  };
  return {
    ...(spec?.unschedulable === true && { spec: { unschedulable: true } }),
    ...(kept && { status: { conditions: [kept] } }),
  } as Pick<Node, 'spec' | 'status'>;
}

/** The Nodes as they are now. */
export function nodeStore(api: KubeApi): NodeStore {
  return {
    read: async (name) => {
      const node = await readLive<Node>(api, resourcePath('nodes', { name }));
      return node && toNodeState(node);
    },
  };
}
