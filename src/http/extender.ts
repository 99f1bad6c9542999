import express, { type ErrorRequestHandler, type Express, type Response } from 'express';
import { describeError } from '../model/errors.ts';
import { schedulerName } from '../model/names.ts';
import type { Result } from '../model/result.ts';
import type { BindPod } from '../usecases/bind-pod.ts';
import type { FilterAnswer, FilterNodes } from '../usecases/filter-nodes.ts';
import type { Log } from '../usecases/ports.ts';
import type { PreemptNodes } from '../usecases/preempt-nodes.ts';
import type { PrioritizeNodes } from '../usecases/prioritize-nodes.ts';
import type { Pod } from '../model/pod.ts';
import {
  formatFilterResult,
  parseBindingArgs,
  parseExtenderArgs,
  parsePreemptionArgs,
  toFilterError,
  toHostPriorities,
  toPreemptionResult,
  toRefusal,
} from './extender-wire.ts';

/** The verbs, as plain functions: parse, ask, answer is all that happens here. */
export interface ExtenderHandlers {
  readonly filter: FilterNodes;
  readonly prioritize: PrioritizeNodes;
  readonly preempt: PreemptNodes;
  readonly bind: BindPod;
  /** Empty when the verbs may be answered. */
  readonly notReady: () => readonly string[];
  /** Whether the scheduler reads FailedAndUnresolvableNodes (from 1.21). */
  readonly knowsUnresolvable: () => boolean;
  /** Hears of every answer, for events, logs and metrics. */
  readonly filtered: (pod: Pod, answer: FilterAnswer, seconds: number) => void;
  readonly observed: (verb: string, outcome: 'ok' | 'error', seconds: number) => void;
  readonly log: Log;
}

/** 5000 names are 200 kB; a whole Node list, which is not wanted, would be tens of MB. */
const bodyLimit = '16mb';
const verbs = ['/filter', '/prioritize', '/preempt', '/bind'];

/**
 * The HTTP face of the scheduler extender.
 *
 * kube-scheduler reads the body of an answer with status 200 only; so every "no" is a 200 with
 * its reason. The one exception is prioritize, which has no field for an error.
 */
export function extenderApp(handlers: ExtenderHandlers): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.post(verbs, express.json({ limit: bodyLimit, type: () => true }));

  app.post('/filter', async (req, res) => {
    const startedAt = performance.now();
    const args = parseExtenderArgs(req.body);
    const missing = handlers.notReady();
    if (!args.ok || missing.length > 0) {
      const error = args.ok ? `berth is not ready: ${missing.join(', ')}` : `berth: ${args.error}`;
      handlers.observed('filter', 'error', secondsSince(startedAt));
      res.json(toFilterError(error));
      return;
    }
    const { pod, nodeNames } = args.value;
    const answer = await handlers.filter(pod, nodeNames);
    const isOld = !handlers.knowsUnresolvable();
    if (isOld && answer.feasible.length === 0 && pod.schedulerName !== schedulerName) {
      res.json(toRefusal(answer));
    } else {
      res.type('json').send(formatFilterResult(answer, !isOld));
    }
    const seconds = secondsSince(startedAt);
    handlers.observed('filter', 'ok', seconds);
    handlers.filtered(pod, answer, seconds);
  });

  app.post('/prioritize', async (req, res) => {
    const startedAt = performance.now();
    const args = parseExtenderArgs(req.body);
    const missing = handlers.notReady();
    if (!args.ok || missing.length > 0) {
      handlers.observed('prioritize', 'error', secondsSince(startedAt));
      refuse(res, args, missing);
      return;
    }
    res.json(toHostPriorities(await handlers.prioritize(args.value.pod, args.value.nodeNames)));
    handlers.observed('prioritize', 'ok', secondsSince(startedAt));
  });

  app.post('/preempt', async (req, res) => {
    const startedAt = performance.now();
    const args = parsePreemptionArgs(req.body);
    const missing = handlers.notReady();
    if (!args.ok || missing.length > 0) {
      handlers.observed('preempt', 'error', secondsSince(startedAt));
      refuse(res, args, missing);
      return;
    }
    const { pod, victims } = args.value;
    const uids = new Map([...victims].map(([node, one]) => [node, one.uids]));
    res.json(toPreemptionResult(args.value, await handlers.preempt(pod, uids)));
    handlers.observed('preempt', 'ok', secondsSince(startedAt));
  });

  app.post('/bind', async (req, res) => {
    const startedAt = performance.now();
    const args = parseBindingArgs(req.body);
    const missing = handlers.notReady();
    const result = !args.ok
      ? args
      : missing.length > 0
        ? { ok: false as const, error: `berth is not ready: ${missing.join(', ')}` }
        : await handlers.bind(args.value);
    res.json({ Error: result.ok ? '' : result.error });
    handlers.observed('bind', result.ok ? 'ok' : 'error', secondsSince(startedAt));
    handlers.log.info('bind answered', {
      pod: args.ok ? `${args.value.namespace}/${args.value.name}` : undefined,
      node: args.ok ? args.value.node : undefined,
      error: result.ok ? undefined : result.error,
      ms: Math.round(secondsSince(startedAt) * 1000),
    });
  });

  app.use(answerFailure(handlers));
  return app;
}

/** For the verbs whose answers have no field for an error. */
function refuse(res: Response, args: Result<unknown, string>, missing: readonly string[]): void {
  if (args.ok) {
    res.status(503).json({ error: `berth is not ready: ${missing.join(', ')}` });
  } else {
    res.status(400).json({ error: `berth: ${args.error}` });
  }
}

/** A body that cannot be read, or a failure on the way: the scheduler gets the reason too. */
function answerFailure({ log, observed }: ExtenderHandlers): ErrorRequestHandler {
  return (error: Error & { status?: number }, req, res: Response, _next) => {
    const message = `berth: ${describeError(error)}`;
    log.warn('a verb failed', { path: req.path, error: message });
    observed(req.path.slice(1), 'error', 0);
    if (res.headersSent) {
      return;
    }
    if (req.path === '/bind') {
      res.json({ Error: message });
    } else if (req.path === '/filter') {
      res.json(toFilterError(message));
    } else {
      res.status(error.status ?? 500).json({ error: message });
    }
  };
}

function secondsSince(startedAt: number): number {
  return (performance.now() - startedAt) / 1000;
}
