import { createHash } from 'node:crypto';
import type { RequestHandler, Response } from 'express';
import { isJsonObject } from '../broker/same.ts';
import { refusal, type Answer } from '../broker/answer.ts';
import { err, ok, type Result } from '../model/result.ts';
import { cut, shown } from '../model/shown.ts';

/** What is known of a request beside what it asks; for the log. */
export interface Caller {
  /** The name of the credentials that were used. */
  client?: string;
  /** What the platform calls the request. */
  request?: string;
  platform?: string;
  /** Who asked the platform. */
  user?: string;
}

const versionHeader = 'x-broker-api-version';
const originHeader = 'x-broker-api-originating-identity';
const requestHeader = 'x-broker-api-request-identity';

/** Platforms that speak an older minor version do not poll as this broker needs it. */
const leastMinor = 13;

export function callerOf(res: Response): Caller {
  const locals = res.locals as { caller?: Caller };
  locals.caller ??= {};
  return locals.caller;
}

/** Repeats the name of the request, so that both sides can find it in their logs. */
export const echoRequest: RequestHandler = (req, res, next) => {
  const request = req.get(requestHeader);
  if (request) {
    callerOf(res).request = cut(request, 200);
    res.set('X-Broker-API-Request-Identity', request);
  }
  next();
};

export const checkVersion: RequestHandler = (req, res, next) => {
  const given = req.get(versionHeader);
  if (!given) {
    send(res, refusal(400, 'BadRequest', 'X-Broker-API-Version is missing: 2.17 is spoken here'));
    return;
  }
  const [, major, minor] = /^(\d{1,5})\.(\d{1,5})$/.exec(given) ?? [];
  if (major === '2' && Number(minor) >= leastMinor) {
    next();
    return;
  }
  send(
    res,
    refusal(
      412,
      'PreconditionFailed',
      `X-Broker-API-Version is ${shown(given)}: 2.${leastMinor} and later minor versions are allowed, this broker speaks 2.17`,
    ),
  );
};

export const readOrigin: RequestHandler = (req, res, next) => {
  const origin = parseOrigin(req.get(originHeader));
  if (!origin.ok) {
    send(res, refusal(400, 'BadRequest', `X-Broker-API-Originating-Identity: ${origin.error}`));
    return;
  }
  Object.assign(callerOf(res), origin.value);
  next();
};

/** @param header - a word for the platform and, in base64, JSON that names the person */
function parseOrigin(
  header: string | undefined,
): Result<Pick<Caller, 'platform' | 'user'>, string> {
  if (header === undefined) {
    return ok({});
  }
  const [, platform = '', encoded = ''] = /^(\S+) ([A-Za-z0-9+/_-]+={0,2})$/.exec(header) ?? [];
  if (platform === '') {
    return err('a platform and a value in base64 are expected');
  }
  const identity = parseJson(Buffer.from(encoded, 'base64').toString());
  if (!isJsonObject(identity)) {
    return err('the value is no JSON object in base64');
  }
  const user = ['user_id', 'username', 'uid'].map((name) => identity[name]).find(isText);
  return ok({ platform: cut(platform, 60), ...(user !== undefined && { user: cut(user, 200) }) });
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Marks an answer with what it says, so that a platform that asks again with `If-None-Match` is
 * told 304 instead of hearing the same once more: Express compares the two.
 */
export function mark(res: Response, { body }: Answer): void {
  const digest = createHash('sha256').update(JSON.stringify(body)).digest('base64url');
  res.set('ETag', `"${digest}"`);
}

export function send(res: Response, { status, body, retryAfter }: Answer): void {
  if (retryAfter !== undefined) {
    res.set('Retry-After', String(retryAfter));
  }
  res.status(status).json(body);
}
