import type { KubeConfig } from '@kubernetes/client-node';
import * as http from 'node:http';
import * as https from 'node:https';

/** The API server's "no": status, reason (`NotFound`, `Conflict`, `AlreadyExists` ...) and text. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly reason: string;

  constructor(method: string, path: string, status: number, body: unknown) {
    const said = (body ?? {}) as { reason?: string; message?: string };
    super(`${method} ${path}: ${status} ${said.message ?? http.STATUS_CODES[status] ?? ''}`.trim());
    this.status = status;
    this.reason = said.reason ?? '';
  }
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

/** 409: the object exists already, or has changed since it was read. */
export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409;
}

/** Deletes the object of that uid. Gone, or a namesake in its place, is done. */
export async function deleteOnly(
  api: KubeApi,
  path: string,
  { uid, gracePeriodSeconds }: { readonly uid: string; readonly gracePeriodSeconds?: number },
): Promise<void> {
  try {
    await api.delete(path, { uid }, gracePeriodSeconds);
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) {
      throw error;
    }
  }
}

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

const contentTypes: Readonly<Record<PatchType, string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

/** What must hold for a delete to happen; otherwise it answers 409. */
export interface Preconditions {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

/**
 * Plain JSON calls to the API server. Paths come from `resourcePath`.
 *
 * Every method throws `ApiError` for an answer of 400 and above, and the transport's error when
 * there was no answer. Nothing is tried again here.
 */
export interface KubeApi {
  get<T>(path: string, query?: Query): Promise<T>;
  create<T>(path: string, object: object, query?: Query): Promise<T>;
  replace<T>(path: string, object: object): Promise<T>;
  patch<T>(path: string, type: PatchType, patch: object, query?: Query): Promise<T>;
  /** @param gracePeriodSeconds - for pods; with 0 the API server does not wait for the kubelet */
  delete(path: string, preconditions?: Preconditions, gracePeriodSeconds?: number): Promise<void>;
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

const requestTimeoutMs = 15_000;

/**
 * Opens the API with the credentials of a kubeconfig or of the pod's service account, which the
 * client library finds and refreshes.
 *
 * The requests are made here because the library (1.4) opens a new TLS connection for each one;
 * a bind makes six of them in a row.
 */
export function openKubeApi(config: KubeConfig): KubeApi {
  const send = sender(config);
  return {
    get: (path, query) => send('GET', path, { query }),
    create: (path, object, query) => send('POST', path, { body: object, query }),
    replace: (path, object) => send('PUT', path, { body: object }),
    patch: (path, type, patch, query) =>
      send('PATCH', path, { body: patch, contentType: contentTypes[type], query }),
    delete: async (path, preconditions, gracePeriodSeconds) => {
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions, gracePeriodSeconds };
      await send('DELETE', path, { body });
    },
  };
}

interface RequestParts {
  readonly body?: object | undefined;
  readonly contentType?: string;
  readonly query?: Query | undefined;
}

function sender(config: KubeConfig) {
  const cluster = config.getCurrentCluster();
  if (!cluster) {
    throw new Error('no cluster: set KUBECONFIG, or run in a pod with a service account');
  }
  const agents = agentPool(cluster.server.startsWith('https:'));
  return async <T>(method: string, path: string, parts: RequestParts): Promise<T> => {
    const credentials: https.RequestOptions = {};
    await config.applyToHTTPSOptions(credentials);
    const url = new URL(cluster.server + path);
    for (const [key, value] of Object.entries(parts.query ?? {})) {
      if (value !== undefined) {
        url.searchParams.set(key, String(value));
      }
    }
    const body = parts.body === undefined ? undefined : JSON.stringify(parts.body);
    const headers: http.OutgoingHttpHeaders = {
      ...(credentials.headers as http.OutgoingHttpHeaders | undefined),
      accept: 'application/json',
      'user-agent': 'berth',
    };
    if (body !== undefined) {
      headers['content-type'] = parts.contentType ?? 'application/json';
      headers['content-length'] = Buffer.byteLength(body);
    }
    const options = { ...credentials, method, headers, agent: agents(credentials) };
    const answer = await exchange(url, options, body);
    return parseAnswer(method, path, answer) as T;
  };
}

/** One keep-alive agent for as long as the client certificate and authority stay the same. */
function agentPool(secure: boolean): (credentials: https.RequestOptions) => http.Agent {
  let key = '';
  let agent: http.Agent | undefined;
  return ({ ca, cert, key: privateKey, rejectUnauthorized, servername }) => {
    const tls = { ca, cert, key: privateKey, rejectUnauthorized, servername };
    const nextKey = JSON.stringify(tls);
    if (agent === undefined || key !== nextKey) {
      key = nextKey;
      const defined = Object.entries(tls).filter(([, value]) => value !== undefined);
      const options = { keepAlive: true, maxSockets: 64, ...Object.fromEntries(defined) };
      agent = secure ? new https.Agent(options) : new http.Agent(options);
    }
    return agent;
  };
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

function exchange(url: URL, options: https.RequestOptions, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const client = url.protocol === 'https:' ? https : http;
    const request = client.request(url, options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
      );
    });
    request.setTimeout(requestTimeoutMs, () =>
      request.destroy(new Error(`${url.pathname}: no answer within ${requestTimeoutMs} ms`)),
    );
    request.on('error', reject);
    request.end(body);
  });
}

function parseAnswer(method: string, path: string, { status, text }: Answer): unknown {
  let body: unknown;
  try {
    body = text === '' ? undefined : JSON.parse(text);
  } catch {
    body = { message: text.slice(0, 200) };
  }
  if (status >= 400) {
    throw new ApiError(method, path, status, body);
  }
  return body;
}
