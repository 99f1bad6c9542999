import type { RequestListener } from 'node:http';
import { collectDefaultMetrics, type Registry } from 'prom-client';
import { describeError } from '../model/errors.ts';

/** What is still missing before this process may be asked; empty when it is ready. */
export type Readiness = () => readonly string[];

export interface Answer {
  readonly status: number;
  /** The media type. */
  readonly type: string;
  readonly body: string;
}

/** What a path answers, made anew for each question. */
export type Page = () => Answer | Promise<Answer>;

const text = 'text/plain; charset=utf-8';

/**
 * What every role offers to those who run it: `/healthz` (the process lives), `/readyz` (503 with
 * the list of what is missing, until all is there) and `/metrics` (Prometheus text).
 *
 * Fixed pages need no web framework, which an agent would keep in memory on every node.
 *
 * @param more - what a role answers besides, by path
 */
export function opsApp(
  notReady: Readiness,
  metrics: Registry,
  more: Readonly<Record<string, Page>> = {},
): RequestListener {
  collectProcessMetrics(metrics);
  const pages = new Map<string, Page>([
    ...Object.entries(more),
    ['/healthz', () => ({ status: 200, type: text, body: 'ok\n' })],
    ['/readyz', () => readiness(notReady())],
    [
      '/metrics',
      async () => ({ status: 200, type: metrics.contentType, body: await metrics.metrics() }),
    ],
  ]);
  return (request, response) => {
    const { method = '', url = '' } = request;
    void answer(pages, method, url).then(({ status, type, body }) => {
      response.writeHead(status, {
        'content-type': type,
        'content-length': Buffer.byteLength(body),
      });
      response.end(body);
    });
  };
}

async function answer(
  pages: ReadonlyMap<string, Page>,
  method: string,
  url: string,
): Promise<Answer> {
  const page = ['GET', 'HEAD'].includes(method) ? pages.get(url.split('?', 1)[0] ?? '') : undefined;
  try {
    return (await page?.()) ?? { status: 404, type: text, body: 'not found\n' };
  } catch (error) {
    return { status: 500, type: text, body: `${describeError(error)}\n` };
  }
}

function readiness(missing: readonly string[]): Answer {
  return missing.length === 0
    ? { status: 200, type: text, body: 'ok\n' }
    : { status: 503, type: text, body: `not ready: ${missing.join(', ')}\n` };
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
