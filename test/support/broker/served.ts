import { randomUUID } from 'node:crypto';
import { Registry } from 'prom-client';
import type { Catalog } from '../../../src/broker/plan.ts';
import { parseCatalog } from '../../../src/config/broker-catalog.ts';
import { parseCredentials } from '../../../src/http/broker-auth.ts';
import { brokerMetrics } from '../../../src/http/broker-metrics.ts';
import { brokerApp } from '../../../src/http/broker.ts';
import { listen } from '../../../src/http/listen.ts';
import { checkJson } from '../../../src/platform/json-schema.ts';
import type { InstanceStore } from '../../../src/usecases/broker-ports.ts';
import { serveInstances } from '../../../src/usecases/serve-instances.ts';
import { catalogText } from './catalog.ts';
import { Platform, user } from './platform.ts';

export interface Logged {
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** The answering half over HTTP, in this process. */
export interface Served {
  readonly platform: Platform;
  readonly metrics: Registry;
  readonly logged: Logged[];
  setCatalog(text: string): void;
}

export function catalogOf(text: string): Catalog {
  const read = parseCatalog(text);
  if (!read.ok) {
    throw new Error(read.error.join('\n'));
  }
  return read.value;
}

export async function serveBroker(store: InstanceStore, signal: AbortSignal): Promise<Served> {
  let catalog = catalogOf(catalogText);
  const credentials = parseCredentials(`# who may call\n${user}\nplatform:second-password\n`);
  const metrics = new Registry();
  const logged: Logged[] = [];
  const note = (event: string, fields: Logged['fields'] = {}): void =>
    void logged.push({ event, fields });
  const log = { info: note, warn: note, error: note };
  const service = serveInstances({
    store,
    surroundings: () => ({
      catalog,
      checkParameters: checkJson,
      namespaces: { usual: 'default', allowed: [], closed: ['kube-system'] },
      at: new Date().toISOString(),
      operationId: randomUUID(),
    }),
  });
  const app = brokerApp({
    ...{ service, log, metrics: brokerMetrics(metrics) },
    catalog: () => catalog,
    credentials: () => (credentials.ok ? credentials.value : undefined),
  });
  const { port } = await listen(app, { address: '127.0.0.1', port: 0, signal });
  return {
    platform: new Platform(`http://127.0.0.1:${port}`, store),
    ...{ metrics, logged },
    setCatalog: (text) => {
      catalog = catalogOf(text);
    },
  };
}
