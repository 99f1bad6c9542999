import { MiB } from '../model/bytes.ts';
import {
  capacityAnnotation,
  poolLabel,
  poolNamePattern,
  poolOfCapacityAnnotation,
  poolOfLabel,
} from '../model/names.ts';
import { formatPoolReport, parsePoolReport, type PoolReport } from '../model/pool.ts';
import type { NodeChange, PoolStanding, ShownNode } from './node-ports.ts';

/** Less than this is the breathing of a filesystem, and not worth a write to the API server. */
const leastChange = MiB;

export interface ReportFacts {
  /** What was measured now. */
  readonly pools: readonly PoolStanding[];
  readonly shown: ShownNode;
  /** The number of this report, should it be published. */
  readonly generation: number;
  /**
   * Per pool, the generation that a volume was told it would be counted in: a report must reach
   * it even when its numbers are the same as before.
   */
  readonly owed: ReadonlyMap<string, number>;
}

/** @returns what has to change on the Node, or nothing where it shows the truth already */
export function decideReport(facts: ReportFacts): NodeChange | undefined {
  const { pools, shown } = facts;
  const labels: Record<string, string | null> = {};
  const annotations: Record<string, string | null> = {};
  const told = pools.filter(({ name }) => poolNamePattern.test(name));
  for (const pool of told) {
    if (isStale(pool, facts)) {
      const report: PoolReport = { ...pool, generation: facts.generation };
      annotations[capacityAnnotation(pool.name)] = formatPoolReport(report);
    }
    if (shown.labels[poolLabel(pool.name)] !== pool.backend) {
      labels[poolLabel(pool.name)] = pool.backend;
    }
  }
  const present = new Set(told.map(({ name }) => name));
  removeOthers(annotations, Object.keys(shown.annotations), poolOfCapacityAnnotation, present);
  removeOthers(labels, Object.keys(shown.labels), poolOfLabel, present);
  const isEmpty = Object.keys(labels).length + Object.keys(annotations).length === 0;
  return isEmpty ? undefined : { labels, annotations };
}

function removeOthers(
  change: Record<string, string | null>,
  keys: readonly string[],
  poolOf: (key: string) => string | undefined,
  present: ReadonlySet<string>,
): void {
  for (const key of keys) {
    const pool = poolOf(key);
    if (pool !== undefined && !present.has(pool)) {
      // Merging a null into an object takes the key away: RFC 7396.
      Object.assign(change, { [key]: null });
    }
  }
}

/** What the Node says of a pool; nothing where it says nothing readable. */
export function shownReport(shown: ShownNode, pool: string): PoolReport | undefined {
  const text = shown.annotations[capacityAnnotation(pool)];
  const report = text === undefined ? undefined : parsePoolReport(text);
  return report?.ok ? report.value : undefined;
}

function isStale(pool: PoolStanding, { shown, generation, owed }: ReportFacts): boolean {
  const before = shownReport(shown, pool.name);
  if (before?.healthy !== pool.healthy) {
    return true;
  }
  const promised = owed.get(pool.name) ?? 0;
  if (promised > generation) {
    // A volume was made while this was measured. Whether it is in these numbers is not known, and
    // the report that counts it for certain follows at once.
    return false;
  }
  if (before.generation < promised) {
    return true;
  }
  return differs(before, pool);
}

function differs(before: PoolReport, now: PoolStanding): boolean {
  if (before.pieces?.sizes.join() !== now.pieces?.sizes.join()) {
    return true;
  }
  const fields = ['total', 'free', 'largest'] as const;
  return fields.some((field) => {
    const isAtEdge = before[field] !== now[field] && (before[field] === 0 || now[field] === 0);
    return isAtEdge || Math.abs(before[field] - now[field]) >= leastChange;
  });
}

/** The highest generation that the Node shows for any pool. */
export function highestGeneration({ annotations }: ShownNode): number {
  const generations = Object.keys(annotations).map((key) => {
    const pool = poolOfCapacityAnnotation(key);
    return pool === undefined
      ? 0
      : (shownReport({ annotations, labels: {} }, pool)?.generation ?? 0);
  });
  return Math.max(0, ...generations);
}
