import { once } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';

export interface ListenOptions {
  readonly address: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Serves HTTPS where given. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly signal: AbortSignal;
}

export interface Listening {
  readonly port: number;
  /** Shows another certificate from the next connection on. */
  setCertificate(tls: { readonly cert: string; readonly key: string }): void;
  /** Resolves when `signal` has fired and every running request is answered, or cut off. */
  readonly closed: Promise<void>;
}

const drainMs = 5_000;

/** Serves `app` until `signal` fires. @throws when the address cannot be taken */
export async function listen(
  app: http.RequestListener,
  options: ListenOptions,
): Promise<Listening> {
  const { address, port, tls, signal } = options;
  const server = tls === undefined ? http.createServer(app) : https.createServer(tls, app);
  server.keepAliveTimeout = 120_000;
  server.headersTimeout = 130_000;
  server.listen(port, address);
  await once(server, 'listening');
  const closed = new Promise<void>((resolve) => {
    server.once('close', resolve);
    const close = (): void => {
      server.close();
      server.closeIdleConnections();
      setTimeout(() => server.closeAllConnections(), drainMs).unref();
    };
    if (signal.aborted) {
      close();
    } else {
      signal.addEventListener('abort', close, { once: true });
    }
  });
  return {
    port: (server.address() as AddressInfo).port,
    setCertificate: (next) => {
      if (server instanceof https.Server) {
        server.setSecureContext(next);
      }
    },
    closed,
  };
}
