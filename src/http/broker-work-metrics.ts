import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What the working half of `berth broker` counts. */
export interface BrokerWorkMetrics {
  ended(operation: string, state: string, ms: number): void;
  gaveBack(): void;
  failed(loop: string): void;
}

/** @param states - of each instance there is: its operation and how that stands */
export function brokerWorkMetrics(
  registry: Registry,
  states: () => Iterable<{ readonly operation: string; readonly state: string }>,
): BrokerWorkMetrics {
  const registers = [registry];
  const operations = new Histogram({
    name: 'berth_broker_operation_seconds',
    help: 'Time from the request of an operation to its end',
    labelNames: ['operation', 'state'],
    buckets: [1, 2.5, 5, 10, 25, 60, 150, 300, 600, 1800, 3600],
    registers,
  });
  const givenBack = new Counter({
    name: 'berth_broker_given_back_total',
    help: 'Instances that have given back the places they had, so that older ones get theirs',
    registers,
  });
  const failures = new Counter({
    name: 'berth_broker_failures_total',
    help: 'Failed rounds of a loop of the broker',
    labelNames: ['loop'],
    registers,
  });
  new Gauge({
    name: 'berth_broker_instances',
    help: 'Service instances, by their last operation and how it stands',
    labelNames: ['operation', 'state'],
    registers,
    collect() {
      this.reset();
      for (const labels of states()) {
        this.inc(labels);
      }
    },
  });
  return {
    ended: (operation, state, ms) => operations.observe({ operation, state }, ms / 1000),
    gaveBack: () => givenBack.inc(),
    failed: (loop) => failures.inc({ loop }),
  };
}
