import { readFileSync } from 'node:fs';
import { Agent, type RequestOptions, request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';

import type { KeyPair } from './pki.ts';

/** An answer of the API server other than success. */
export class ApiError extends Error {
  override name = 'ApiError';
  readonly status: number;

  constructor(what: string, status: number, body: string) {
    super(`${what}: ${status} ${body.slice(0, 500)}`);
    this.status = status;
  }
}

export interface ApiRequest {
  body?: unknown;
  contentType?: string;
}

/** Talks JSON to one API server as one user. Small on purpose: for what the harness itself creates. */
export class ApiClient {
  readonly server: string;
  readonly #agent: Agent;

  constructor(server: string, caFile: string, user: KeyPair) {
    this.server = server;
    this.#agent = new Agent({
      keepAlive: true,
      // More than this and the API server's own limit on requests in flight is in the way.
      maxSockets: 64,
      ca: readFileSync(caFile),
      cert: readFileSync(user.cert),
      key: readFileSync(user.key),
    });
  }

  /** Returns the parsed body. Throws ApiError for any status of 300 and above. */
  async request<T = unknown>(method: string, path: string, sent: ApiRequest = {}): Promise<T> {
    const body = sent.body === undefined ? undefined : JSON.stringify(sent.body);
    const response = await this.#send(method, path, body, sent.contentType);
    const answer = await text(response);
    const status = response.statusCode ?? 0;
    if (status >= 300) {
      throw new ApiError(`${method} ${path}`, status, answer);
    }
    const isJson = response.headers['content-type']?.includes('json') ?? false;
    return (isJson ? JSON.parse(answer) : answer) as T;
  }

  patch<T = unknown>(path: string, body: unknown): Promise<T> {
    return this.request('PATCH', path, { body, contentType: 'application/merge-patch+json' });
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(
    method: string,
    path: string,
    body?: string,
    contentType = 'application/json',
  ): Promise<IncomingMessage> {
    const options: RequestOptions = { method, agent: this.#agent, timeout: 30_000 };
    if (body !== undefined) {
      options.headers = { 'content-type': contentType, 'content-length': Buffer.byteLength(body) };
    }
    return new Promise((resolve, reject) => {
      const call = httpsRequest(new URL(path, this.server), options, resolve);
      call.on('error', reject);
      call.on('timeout', () => call.destroy(new Error(`${method} ${path}: no answer in 30 s`)));
      call.end(body);
    });
  }
}
