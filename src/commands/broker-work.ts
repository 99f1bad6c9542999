import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Registry } from 'prom-client';
import type { PlaceholderRules } from '../broker/manifests.ts';
import { isRunning } from '../broker/work.ts';
import { brokerWorkMetrics } from '../http/broker-work-metrics.ts';
import { instanceStore, toStoredInstance } from '../kube/broker-instances.ts';
import { partStore } from '../kube/broker-parts.ts';
import { watchBroker, type BrokerState } from '../kube/broker-view.ts';
import { volumePlaces } from '../kube/broker-volumes.ts';
import type { KubeClient } from '../kube/client.ts';
import { eventSink } from '../kube/events.ts';
import { runWhileLeading } from '../kube/leader.ts';
import { keyOf } from '../kube/objects.ts';
import { retainedClaims } from '../kube/retained-claims.ts';
import { describeError } from '../model/errors.ts';
import type { FaultPoints } from '../platform/fault-points.ts';
import { sleep } from '../platform/sleep.ts';
import { Controller, type Reconcile } from '../usecases/controller.ts';
import { endRetained } from '../usecases/end-retained.ts';
import type { Log } from '../usecases/ports.ts';
import { workOnInstance } from '../usecases/work-on-instance.ts';
import { atSteps, brokerSteps } from './fault-steps.ts';

export interface BrokerWorkParts {
  readonly client: KubeClient;
  /** The namespace of Berth's own objects, where the Lease is. */
  readonly namespace: string;
  readonly rules: PlaceholderRules;
  readonly log: Log;
  readonly registry: Registry;
  readonly points: FaultPoints | undefined;
}

/** The half of the broker that makes instances what they were asked to be. */
export interface BrokerWork {
  readonly notReady: () => readonly string[];
  /** Resolves, and never rejects, once `signal` has fired. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

const now = (): number => Date.now();

/**
 * Watches on every replica, and works where this one holds the Lease. All that a replica must know
 * stands in the objects, so the next one goes on where this one has stopped.
 */
export function brokerWork(parts: BrokerWorkParts): BrokerWork {
  const { client, log, namespace, points } = parts;
  const state = watchBroker(client, log);
  const loops = loopsOf(parts, state);
  const running = new Map<string, Controller>();
  state.onChange((record) => running.get('instances')?.enqueue(record));
  state.claims.onChange((_before, after) => {
    if (after) {
      running.get('retained')?.enqueue(keyOf(after));
    }
  });

  async function work(term: AbortSignal): Promise<void> {
    const controllers = Object.entries(loops).map(([name, loop]) => {
      const controller = loop.open();
      running.set(name, controller);
      for (const key of loop.keys()) {
        controller.enqueue(key);
      }
      return controller.run(term);
    });
    await Promise.all(controllers);
    running.clear();
  }

  async function lead(signal: AbortSignal): Promise<void> {
    while (state.notSynced().length > 0 && !signal.aborted) {
      await sleep(50, signal);
    }
    const identity = `${hostname()}_${randomUUID()}`;
    const api = atSteps(client.api, brokerSteps.lease, points);
    const options = { api, log, now, namespace, name: 'berth-broker', identity };
    await runWhileLeading(options, work, signal);
  }

  return {
    notReady: () => state.notSynced(),
    run: async (signal) => {
      await Promise.all([state.run(signal), lead(signal)]);
    },
  };
}

interface Loop {
  readonly open: () => Controller;
  /** All keys there are, for the start of a term. */
  readonly keys: () => Iterable<string>;
}

function loopsOf(
  { client, log, registry, rules, points }: BrokerWorkParts,
  state: BrokerState,
): Readonly<Record<'instances' | 'retained', Loop>> {
  const { api } = client;
  const metrics = brokerWorkMetrics(registry, () => statesOf(state));
  const events = eventSink({ api, log, now, component: 'berth-broker' });
  const parts = atSteps(partStore({ api, state, rules, now }), brokerSteps.parts, points);
  const instances = atSteps(instanceStore(api), brokerSteps.instances, points);
  const volumes = volumePlaces(api);
  const claims = retainedClaims({ api, log, parts, memory: state.claims });
  const openInstances = (): Reconcile =>
    // A term begins without knowing when room came free last: it may have been just now.
    workOnInstance({
      ...{ instances, parts, volumes, events, now },
      ...{ view: state.view, freed: { at: now() }, heard: metrics },
    });
  const open = (loop: string, workers: number, reconcile: () => Reconcile) => () =>
    new Controller({
      ...{ reconcile: reconcile(), workers, sleep },
      firstPauseMs: 500,
      longestPauseMs: 30_000,
      onError: (key, error, pauseMs) => {
        metrics.failed(loop);
        const reason = describeError(error);
        log.warn('a loop failed for a key', { loop, key, reason, pauseMs });
      },
    });
  return {
    instances: {
      open: open('instances', 8, openInstances),
      keys: () => [...state.instances.list()].map(keyOf),
    },
    retained: {
      open: open('retained', 2, () => endRetained({ claims, events, now })),
      keys: () => [...state.claims.list()].map(keyOf),
    },
  };
}

function* statesOf({ instances }: BrokerState) {
  for (const object of instances.list()) {
    const { instance } = toStoredInstance(object);
    const { operation, progress } = instance;
    yield {
      operation: operation.kind,
      state: isRunning(instance) ? 'in progress' : progress.state,
    };
  }
}
