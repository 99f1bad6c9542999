import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Rejection } from '../scheduling/filter.ts';

/** What `berth control` counts, by the names that dashboards know. */
export interface ControlMetrics {
  readonly registry: Registry;
  verb(verb: string, outcome: 'ok' | 'error', seconds: number): void;
  rejected(rejections: Iterable<Rejection>): void;
  reconcileFailed(loop: string): void;
  volumeGivenUp(): void;
}

export interface Gauges {
  readonly waitingPods: () => number;
  readonly volumes: () => number;
}

const verbBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25];

export function controlMetrics(gauges: Gauges): ControlMetrics {
  const registry = new Registry();
  const registers = [registry];
  const verbs = new Histogram({
    name: 'berth_extender_seconds',
    help: 'Time from the request of a verb to its answer',
    labelNames: ['verb', 'outcome'],
    buckets: verbBuckets,
    registers,
  });
  const rejections = new Counter({
    name: 'berth_node_rejections_total',
    help: 'Nodes refused by filter, by the kind of reason',
    labelNames: ['reason'],
    registers,
  });
  const failures = new Counter({
    name: 'berth_reconcile_failures_total',
    help: 'Failed rounds of a reconcile loop',
    labelNames: ['loop'],
    registers,
  });
  const givenUp = new Counter({
    name: 'berth_volumes_given_up_total',
    help: 'Volumes given up because their nodes stayed lost',
    registers,
  });
  for (const [name, help, read] of [
    ['berth_waiting_pods', 'Pods with claims that have no node yet', gauges.waitingPods],
    ['berth_local_volumes', 'LocalVolumes that are known', gauges.volumes],
  ] as const) {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  }
  return {
    registry,
    verb: (verb, outcome, seconds) => verbs.observe({ verb, outcome }, seconds),
    rejected: (all) => {
      // Counted here first: there may be thousands of one kind.
      const counts = new Map<string, number>();
      for (const { kind } of all) {
        counts.set(kind, (counts.get(kind) ?? 0) + 1);
      }
      counts.forEach((count, reason) => rejections.inc({ reason }, count));
    },
    reconcileFailed: (loop) => failures.inc({ loop }),
    volumeGivenUp: () => givenUp.inc(),
  };
}
