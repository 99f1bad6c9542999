import * as http from 'node:http';
import * as https from 'node:https';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';

export interface Sent {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Buffer | undefined;
  /** The only authority that is trusted, PEM. */
  readonly ca?: string | undefined;
}

export interface Received {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** One request on a connection of its own, with the headers that are given and no others. */
export async function send(url: string, { method, headers, body, ca }: Sent): Promise<Received> {
  const options = { method, headers, agent: false };
  const request = url.startsWith('https:')
    ? https.request(url, { ...options, ca })
    : http.request(url, options);
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const all = Object.entries(response.headers).map(([name, value]): [string, string] => [
    name,
    String(value),
  ]);
  return {
    status: response.statusCode ?? 0,
    headers: new Headers(all),
    text: await text(response),
  };
}
