import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import { refusal, type Answer } from '../broker/answer.ts';
import { toCatalogJson } from '../broker/catalog-json.ts';
import type { Catalog } from '../broker/plan.ts';
import { describeError } from '../model/errors.ts';
import type { Result } from '../model/result.ts';
import type { Log } from '../usecases/ports.ts';
import type { InstanceService } from '../usecases/serve-instances.ts';
import { authenticate, type Credentials } from './broker-auth.ts';
import { callerOf, checkVersion, echoRequest, mark, readOrigin, send } from './broker-headers.ts';
import { observeRequests, type BrokerMetrics } from './broker-metrics.ts';
import * as wire from './broker-wire.ts';

export interface BrokerParts {
  readonly service: InstanceService;
  /** Both may be replaced while the broker runs; nothing is answered before they are there. */
  readonly catalog: () => Catalog | undefined;
  readonly credentials: () => Credentials | undefined;
  readonly log: Log;
  readonly metrics: BrokerMetrics;
}

/** Contexts of some platforms carry the annotations of people; parameters are a few words. */
const bodyLimit = '128kb';

type Answering = (parts: wire.Parts) => Result<Promise<Answer>, string>;

/**
 * The HTTP face of the service broker: parse, ask, answer. Who calls is settled first, so that a
 * stranger learns nothing. Every answer has a JSON body, errors with the fields `error` and
 * `description`.
 */
export function brokerApp(parts: BrokerParts): Express {
  const { service, catalog, credentials, log, metrics } = parts;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.use(observeRequests(metrics, log), echoRequest);
  app.use(authenticate(credentials), checkVersion, readOrigin);
  app.use(requireJson, express.json({ limit: bodyLimit, type: () => true }));

  app
    .route('/v2/catalog')
    .get((_req, res) => {
      const offered = catalog();
      if (offered === undefined) {
        send(res, notReady);
        return;
      }
      const answer = { status: 200, body: toCatalogJson(offered) };
      mark(res, answer);
      send(res, answer);
    })
    .all(otherMethod('GET'));
  const instance = '/v2/service_instances/:instance_id';
  app
    .route(instance)
    .get(answer((given) => map(wire.readFetch(given), (r) => service.fetch(r.instanceId))))
    .put(answer((given) => map(wire.readProvision(given), service.provision)))
    .patch(answer((given) => map(wire.readUpdate(given), service.update)))
    .delete(answer((given) => map(wire.readDeprovision(given), service.deprovision)))
    .all(otherMethod('GET, PUT, PATCH, DELETE'));
  app
    .route(`${instance}/last_operation`)
    .get(answer((given) => map(wire.readLastOperation(given), service.lastOperation)))
    .all(otherMethod('GET'));
  const binding = `${instance}/service_bindings/:binding_id`;
  app
    .route(binding)
    .get(
      answer((given) =>
        map(wire.readFetch(given), (r) => service.fetchBinding(r.instanceId, r.bindingId ?? '')),
      ),
    )
    .put(answer((given) => map(wire.readBind(given), service.bind)))
    .delete(answer((given) => map(wire.readUnbind(given), service.unbind)))
    .all(otherMethod('GET, PUT, DELETE'));
  app
    .route(`${binding}/last_operation`)
    .get(answer((given) => map(wire.readBindingOperation(given), service.bindingOperation)))
    .all(otherMethod('GET'));

  app.use((req, res) => {
    send(res, refusal(404, 'NotFound', `path ${req.path} is not known`));
  });
  app.use(failed(log));
  return app;

  function answer(ask: Answering): RequestHandler {
    return async (req, res) => {
      if (catalog() === undefined) {
        send(res, notReady);
        return;
      }
      const { params, query, body } = req as { params: object; query: object; body: unknown };
      const asked = ask({ path: { ...params }, query: { ...query }, body });
      send(res, asked.ok ? await asked.value : refusal(400, 'BadRequest', asked.error));
    };
  }
}

const notReady = refusal(500, 'InternalError', 'the broker has no catalog yet: try again');

function map<T, R>(read: Result<T, string>, ask: (value: T) => R): Result<R, string> {
  return read.ok ? { ok: true, value: ask(read.value) } : read;
}

/** A body without a type is read all the same, as the specification allows. */
const requireJson: RequestHandler = (req, res, next) => {
  const type = req.get('content-type');
  const isOther = req.get('content-length') !== '0' && req.is('application/json') === false;
  if (type !== undefined && isOther) {
    const text = `Content-Type is "${type}": application/json is allowed`;
    send(res, refusal(400, 'BadRequest', text));
    return;
  }
  next();
};

function otherMethod(allowed: string): RequestHandler {
  return (req, res) => {
    res.set('allow', allowed);
    send(res, refusal(405, 'BadRequest', `method ${req.method} is not allowed: ${allowed} are`));
  };
}

/**
 * What went wrong on the way. A body that cannot be read is the caller's mistake; all else is
 * ours: nothing is half done then, and the same request can be sent again.
 */
function failed(log: Log): ErrorRequestHandler {
  return (error: unknown, req, res, next) => {
    if (res.headersSent) {
      next(error);
      return;
    }
    const { status } = error as { status?: unknown };
    if (status === 413) {
      send(res, refusal(413, 'BodyTooLarge', `the body is larger than ${bodyLimit}`));
    } else if (typeof status === 'number' && status < 500) {
      send(res, refusal(400, 'BadRequest', 'the request cannot be read: JSON in UTF-8 is allowed'));
    } else {
      const { request } = callerOf(res);
      log.error('a request failed', { path: req.path, request, error: describeError(error) });
      const text = 'the state could not be read or written: the same request can be sent again';
      send(res, refusal(500, 'InternalError', text));
    }
  };
}
