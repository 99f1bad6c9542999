import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import { Histogram, type Registry } from 'prom-client';
import { checkClass } from '../admission/check-class.ts';
import { checkPool, checkPoolChange, type ReadPool } from '../admission/check-pool.ts';
import type { PodVerdict } from '../admission/mutate-pod.ts';
import { describeError } from '../model/errors.ts';
import { ok, type Result } from '../model/result.ts';
import type { NewClaim } from '../usecases/admit-claim.ts';
import type { PodRequest } from '../usecases/admit-pod.ts';
import type { Log } from '../usecases/ports.ts';
import { parseClaim, parseClass, parsePodRequest, parsePool } from './admission-objects-wire.ts';
import {
  allowed,
  denied,
  isRecord,
  parseAdmissionReview,
  patched,
  toAdmissionReview,
  type AdmissionAnswer,
  type AdmissionRequest,
} from './admission-wire.ts';

export interface WebhookHandlers {
  readonly admitPod: (request: PodRequest) => Promise<PodVerdict>;
  readonly admitClaim: (claim: NewClaim) => Promise<Result<readonly string[], string>>;
  readonly readPool: ReadPool;
}

export interface WebhookOptions {
  readonly handlers: WebhookHandlers;
  readonly log: Log;
  readonly metrics: Registry;
}

/** Answers one request, or says what of it cannot be understood. */
type Answer = (request: AdmissionRequest) => Promise<Result<AdmissionAnswer, string>>;

interface Route {
  readonly kind: string;
  readonly operations: readonly string[];
  readonly answer: Answer;
}

/**
 * The HTTP face of admission: parse, ask, answer. No decisions.
 *
 * A review of another kind or operation than the path is for is let through untouched. A body
 * that is no review gets 400, and a failure of our own 500: whether the API server then lets the
 * object pass is said in one place only, the `failurePolicy` of the webhook's registration.
 */
export function webhookApp({ handlers, log, metrics }: WebhookOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  const seconds = new Histogram({
    name: 'berth_admission_seconds',
    help: 'Time to answer an admission review',
    labelNames: ['path', 'outcome'],
    buckets: [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 10],
    registers: [metrics],
  });
  for (const [path, route] of Object.entries(routes(handlers))) {
    app.post(path, express.json({ limit: '10mb' }), reviewed(path, route, { log, seconds }));
    app.all(path, (req, res) => {
      const error = `method ${req.method} is not allowed: POST an AdmissionReview`;
      res.status(405).set('allow', 'POST').json({ error });
    });
  }
  app.use((req, res) => {
    const error = `path ${req.path} is not known: allowed are ${Object.keys(routes(handlers)).join(', ')}`;
    res.status(404).json({ error });
  });
  app.use(failed(log));
  return app;
}

function routes(handlers: WebhookHandlers): Readonly<Record<string, Route>> {
  return {
    '/mutate-pod': {
      kind: '/Pod',
      operations: ['CREATE'],
      answer: async (request) => {
        const pod = parsePodRequest(request);
        if (!pod.ok) {
          return pod;
        }
        const { patch, warnings } = await handlers.admitPod(pod.value);
        return ok(patched(patch, warnings));
      },
    },
    '/validate-class': {
      kind: 'storage.k8s.io/StorageClass',
      operations: ['CREATE'],
      answer: async (request) => {
        const given = parseClass(request);
        return given.ok ? judged(checkClass(given.value)) : given;
      },
    },
    '/validate-pool': {
      kind: 'berth.dev/StoragePool',
      operations: ['CREATE', 'UPDATE'],
      answer: async (request) => answerPool(request, handlers.readPool),
    },
    '/validate-claim': {
      kind: '/PersistentVolumeClaim',
      operations: ['CREATE'],
      answer: async (request) => {
        const claim = parseClaim(request);
        return claim.ok ? judged(await handlers.admitClaim(claim.value)) : claim;
      },
    },
  };
}

/**
 * A change that leaves the spec alone always passes, even where the spec is wrong, and so does
 * every change of a pool that is being deleted: finalizers and labels must never be stuck.
 */
function answerPool(
  { operation, object, oldObject }: AdmissionRequest,
  read: ReadPool,
): Result<AdmissionAnswer, string> {
  const after = parsePool(object);
  if (!after.ok) {
    return after;
  }
  if (operation === 'CREATE') {
    return judged(checkPool(after.value, read));
  }
  const before = parsePool(oldObject);
  if (!before.ok) {
    return before;
  }
  const same = JSON.stringify(before.value) === JSON.stringify(after.value);
  return same || isBeingDeleted(object)
    ? ok(allowed())
    : judged(checkPoolChange(before.value, after.value, read));
}

function isBeingDeleted(object: unknown): boolean {
  const metadata = isRecord(object) ? object['metadata'] : undefined;
  return isRecord(metadata) && typeof metadata['deletionTimestamp'] === 'string';
}

/** @param verdict - where it passes, with what its author should know all the same */
function judged(
  verdict: Result<readonly string[] | undefined, string>,
): Result<AdmissionAnswer, string> {
  return ok(verdict.ok ? allowed(verdict.value) : denied(verdict.error));
}

function reviewed(
  path: string,
  route: Route,
  { log, seconds }: { log: Log; seconds: Histogram },
): RequestHandler {
  return async (req, res) => {
    const startedAt = performance.now();
    const observe = (outcome: string): void =>
      seconds.observe({ path, outcome }, (performance.now() - startedAt) / 1000);
    const review = parseAdmissionReview(req.body);
    try {
      const answer = review.ok ? await answerTo(review.value, route) : review;
      if (!review.ok || !answer.ok) {
        const error = answer.ok ? '' : answer.error;
        observe('unreadable');
        res.status(400).json({ error });
        return;
      }
      observe(outcomeOf(answer.value));
      tellDenial(log, review.value, answer.value);
      res.json(toAdmissionReview(review.value.uid, answer.value));
    } catch (error) {
      observe('failed');
      log.error('an admission review failed', { path, error: describeError(error) });
      res.status(500).json({ error: describeError(error) });
    }
  };
}

async function answerTo(
  request: AdmissionRequest,
  { kind, operations, answer }: Route,
): Promise<Result<AdmissionAnswer, string>> {
  const meant =
    request.kind === kind && request.subResource === '' && operations.includes(request.operation);
  return meant ? answer(request) : ok(allowed());
}

function outcomeOf(answer: AdmissionAnswer): string {
  if (!answer.allowed) {
    return 'denied';
  }
  return answer.patch === undefined ? 'allowed' : 'patched';
}

function tellDenial(log: Log, request: AdmissionRequest, answer: AdmissionAnswer): void {
  if (!answer.allowed) {
    const { kind, namespace, name } = request;
    log.info('object refused', { kind, namespace, name, message: answer.message });
  }
}

/** The body could not be read: too large, not JSON, cut off ... */
function failed(log: Log): ErrorRequestHandler {
  return (error: { status?: number; message?: string }, req, res, next) => {
    if (res.headersSent) {
      next(error);
      return;
    }
    const status = error.status ?? 500;
    log.warn('a request could not be read', { path: req.path, status, reason: error.message });
    res.status(status).json({ error: error.message ?? 'the request could not be read' });
  };
}
