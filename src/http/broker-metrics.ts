import type { RequestHandler } from 'express';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { cut } from '../model/shown.ts';
import type { Log } from '../usecases/ports.ts';
import { callerOf } from './broker-headers.ts';

/** What `berth broker` counts, by the names that dashboards know. */
export interface BrokerMetrics {
  answered(labels: { endpoint: string; method: string; status: number }, seconds: number): void;
  /** A file that is read while the broker runs was read again. */
  reloaded(file: string, outcome: 'taken' | 'refused'): void;
  offered(plans: number): void;
}

export function brokerMetrics(registry: Registry): BrokerMetrics {
  const registers = [registry];
  const seconds = new Histogram({
    name: 'berth_broker_request_seconds',
    help: 'Time to answer a request of a platform',
    labelNames: ['endpoint', 'method', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 10],
    registers,
  });
  const reloads = new Counter({
    name: 'berth_broker_reloads_total',
    help: 'Times that a file was read, by what came of it',
    labelNames: ['file', 'outcome'],
    registers,
  });
  const plans = new Gauge({
    name: 'berth_broker_plans',
    help: 'Plans in the catalog',
    registers,
  });
  return {
    answered: (labels, value) => seconds.observe(labels, value),
    reloaded: (file, outcome) => reloads.inc({ file, outcome }),
    offered: (count) => plans.set(count),
  };
}

/**
 * Counts and logs each answer. Bodies and headers are never logged: they may hold passwords, and
 * what people put into parameters.
 */
export function observeRequests(metrics: BrokerMetrics, log: Log): RequestHandler {
  return (req, res, next) => {
    const startedAt = performance.now();
    res.once('close', () => {
      const { method } = req;
      const route = req.route as { path?: unknown } | undefined;
      const endpoint = typeof route?.path === 'string' ? route.path : 'other';
      const status = res.writableFinished ? res.statusCode : 499;
      const ms = Math.round(performance.now() - startedAt);
      metrics.answered({ endpoint, method: methodLabel(method), status }, ms / 1000);
      const ids = Object.entries(req.params).map(([name, id]): [string, string] => [
        name,
        cut(String(id), 200),
      ]);
      log.info('request answered', {
        ...{ endpoint, method, status, ms },
        ...(Object.fromEntries(ids) as Record<string, string>),
        ...callerOf(res),
      });
    });
    next();
  };
}

const methods = ['GET', 'PUT', 'PATCH', 'DELETE'];

/** Callers choose methods; labels must not grow with what they choose. */
function methodLabel(method: string): string {
  return methods.includes(method) ? method : 'other';
}
