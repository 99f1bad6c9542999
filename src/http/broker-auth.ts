import { createHash, timingSafeEqual } from 'node:crypto';
import type { RequestHandler } from 'express';
import { refusal } from '../broker/answer.ts';
import { err, ok, type Result } from '../model/result.ts';
import { callerOf, send } from './broker-headers.ts';

/** Who may call, by name. Passwords are kept as digests only. */
export interface Credentials {
  /** The name that belongs to an `Authorization` header, or nothing. */
  check(header: string | undefined): string | undefined;
}

/**
 * Reads a file of credentials: a line `name:password` for each, blank lines and those that begin
 * with `#` mean nothing. A name may have several passwords, so that one can be replaced.
 *
 * @returns the credentials, or the mistakes by line; never with a password in the text
 */
export function parseCredentials(text: string): Result<Credentials, string> {
  const mistakes: string[] = [];
  const known = text.split(/\r?\n/).flatMap((line, at) => {
    if (line.trim() === '' || line.startsWith('#')) {
      return [];
    }
    const colon = line.indexOf(':');
    if (colon < 1 || colon === line.length - 1) {
      mistakes.push(`line ${at + 1}: name:password is expected, neither of them empty`);
      return [];
    }
    return [{ name: line.slice(0, colon), digest: digestOf(line) }];
  });
  if (mistakes.length > 0) {
    return err(mistakes.join('; '));
  }
  return known.length === 0 ? err('there is no line name:password') : ok(credentials(known));
}

function credentials(
  known: readonly { readonly name: string; readonly digest: Buffer }[],
): Credentials {
  return {
    check: (header) => {
      const [, encoded] = /^basic +([A-Za-z0-9+/=_-]+)$/i.exec(header ?? '') ?? [];
      const digest = digestOf(Buffer.from(encoded ?? '', 'base64').toString());
      // All are compared, whichever fits: the time taken says nothing.
      const fitting = known.filter((one) => timingSafeEqual(one.digest, digest));
      return encoded === undefined ? undefined : fitting[0]?.name;
    },
  };
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Lets pass who has credentials that are valid at this moment. */
export function authenticate(current: () => Credentials | undefined): RequestHandler {
  return (req, res, next) => {
    const client = current()?.check(req.get('authorization'));
    if (client === undefined) {
      res.set('WWW-Authenticate', 'Basic realm="berth broker", charset="UTF-8"');
      send(res, refusal(401, 'Unauthorized', 'valid credentials are required'));
      return;
    }
    callerOf(res).client = client;
    next();
  };
}
