import express, { type Express } from 'express';
import { collectDefaultMetrics, type Registry } from 'prom-client';

/** What is still missing before this process may be asked; empty when it is ready. */
export type Readiness = () => readonly string[];

/**
 * Adds what every role offers to those who run it: `/healthz` (the process lives), `/readyz`
 * (503 with the list of what is missing, until all is there) and `/metrics` (Prometheus text).
 */
function addOps(app: Express, notReady: Readiness, metrics: Registry): void {
  collectProcessMetrics(metrics);
  app.get('/healthz', (_req, res) => void res.type('text').send('ok\n'));
  app.get('/readyz', (_req, res) => {
    const missing = notReady();
    res
      .status(missing.length === 0 ? 200 : 503)
      .type('text')
      .send(missing.length === 0 ? 'ok\n' : `not ready: ${missing.join(', ')}\n`);
  });
  app.get('/metrics', async (_req, res) => {
    res.type(metrics.contentType).send(await metrics.metrics());
  });
}

const hourMs = 3_600_000;
const lagStatistics = /^nodejs_eventloop_lag_(?!seconds$)/;

/**
 * The statistics of the event loop's lag come from a timer that fires a hundred times a second:
 * most of what an idle agent would use. They are left out; the lag at the moment of the question stays.
 */
function collectProcessMetrics(metrics: Registry): void {
  collectDefaultMetrics({ register: metrics, eventLoopMonitoringPrecision: hourMs });
  for (const { name } of metrics.getMetricsAsArray()) {
    if (lagStatistics.test(name)) {
      metrics.removeSingleMetric(name);
    }
  }
}

/** An application that offers only the above. */
export function opsApp(notReady: Readiness, metrics: Registry): Express {
  const app = express();
  app.disable('x-powered-by');
  addOps(app, notReady, metrics);
  return app;
}
