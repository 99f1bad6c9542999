import { formatBytes, type Bytes } from '../model/bytes.ts';
import type { Rejection } from '../scheduling/filter.ts';
import type { FilterAnswer } from './filter-nodes.ts';

/** How many nodes are named one by one; more would be cut off by `kubectl describe`. */
const nearestShown = 3;

/**
 * Says for people why a pod waits: what it needs, and how much the nodes that came nearest have.
 * It fits into an event; the figures of all nodes stand in `/capacity`.
 */
export function explainWait(answer: FilterAnswer): string {
  if (answer.refusal !== undefined) {
    return answer.refusal;
  }
  const lacks = [...answer.rejections].flatMap(([node, rejection]) => lackOf(node, rejection));
  lacks.sort((a, b) => b.free - a.free || a.node.localeCompare(b.node));
  const needs = answer.needs.volumes
    .map((need) => `${formatBytes(need.bytes)} in pool ${need.pool} for ${need.claim}`)
    .join(', ');
  const nearest = lacks
    .slice(0, nearestShown)
    .map(
      ({ node, pool, free, total }) =>
        `${node} has ${formatBytes(free)} of ${formatBytes(total)} free in ${pool}`,
    )
    .join(', ');
  const others = countOthers(answer.rejections);
  return [needs === '' ? '' : `needs ${needs}`, nearest === '' ? '' : `nearest: ${nearest}`, others]
    .filter((part) => part !== '')
    .join('; ');
}

interface NodeLack {
  readonly node: string;
  readonly pool: string;
  readonly free: Bytes;
  readonly total: Bytes;
}

function lackOf(node: string, rejection: Rejection): NodeLack[] {
  if (rejection.kind !== 'insufficient' && rejection.kind !== 'fragmented') {
    return [];
  }
  const { pool, room } = rejection;
  const free = rejection.kind === 'fragmented' ? room.largest : room.free;
  return [{ node, pool, free, total: room.total }];
}

const otherTexts: Readonly<Partial<Record<Rejection['kind'], string>>> = {
  'no-pool': 'without the pool',
  'no-devices': 'whose pool gives directories, where only a device will do',
  'pool-unhealthy': 'with an unhealthy pool',
  'agent-silent': 'with a silent agent',
  'no-hostname': 'without the label kubernetes.io/hostname',
  'report-unreadable': 'with an unreadable report',
  'unknown-node': 'not known yet',
  pinned: 'that do not hold its volume',
};

function countOthers(rejections: ReadonlyMap<string, Rejection>): string {
  const counts = new Map<string, number>();
  for (const { kind } of rejections.values()) {
    const text = otherTexts[kind];
    if (text !== undefined) {
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
  }
  return [...counts].map(([text, count]) => `${count} node(s) ${text}`).join(', ');
}
