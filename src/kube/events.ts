import { LRUCache } from 'lru-cache';
import { describeError } from '../model/errors.ts';
import type { EventSink, Log, Now, ObjectRef } from '../usecases/ports.ts';
import type { KubeApi } from './api.ts';
import { resourcePath } from './paths.ts';

export interface EventSinkOptions {
  readonly api: KubeApi;
  readonly log: Log;
  readonly now: Now;
  /** Who speaks: `berth-control`, `berth-node` ... */
  readonly component: string;
  /** The node the speaker runs on, where it matters. */
  readonly host?: string;
}

interface Told {
  readonly name: string;
  readonly namespace: string;
  count: number;
}

const sameEventForMs = 10 * 60_000;
const maxMessageLength = 1024;

/**
 * Writes core/v1 events, which every version from 1.20 to 1.36 serves and kubectl shows.
 * The same text about the same object raises the count of its first event.
 */
export function eventSink({ api, log, now, component, host }: EventSinkOptions): EventSink {
  const told = new LRUCache<string, Told>({ max: 5_000, ttl: sameEventForMs });
  let serial = 0;

  async function tell(type: string, about: ObjectRef, reason: string, message: string) {
    const key = [about.kind, about.namespace, about.name, about.uid, reason, message].join('\n');
    const at = new Date(now()).toISOString();
    const before = told.get(key);
    if (before) {
      before.count += 1;
      const path = resourcePath('events', before);
      await api.patch(path, 'merge', { count: before.count, lastTimestamp: at });
      return;
    }
    const namespace = about.namespace ?? 'default';
    serial += 1;
    const name = `${about.name.slice(0, 200)}.${now().toString(16)}${serial.toString(16)}`;
    told.set(key, { name, namespace, count: 1 });
    await api.create(resourcePath('events', { namespace }), {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace },
      involvedObject: about,
      type,
      reason,
      message: message.slice(0, maxMessageLength),
      count: 1,
      firstTimestamp: at,
      lastTimestamp: at,
      source: { component, ...(host === undefined ? {} : { host }) },
    });
  }

  const send =
    (type: string) =>
    (about: ObjectRef, reason: string, message: string): void => {
      tell(type, about, reason, message).catch((error: unknown) =>
        log.warn('an event was lost', { about, reason, message, error: describeError(error) }),
      );
    };
  return { normal: send('Normal'), warning: send('Warning') };
}
