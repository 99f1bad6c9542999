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

interface Telling {
  readonly type: string;
  readonly about: ObjectRef;
  readonly reason: string;
  readonly message: string;
}

const sameEventForMs = 10 * 60_000;
const maxMessageLength = 1024;

/**
 * Writes core/v1 events, which every version from 1.20 to 1.36 serves and kubectl shows.
 * The same text about the same object raises the count of its first event.
 */
export function eventSink({ api, log, now, component, host }: EventSinkOptions): EventSink {
  const told = new LRUCache<string, Told>({
    max: 5_000,
    ttl: sameEventForMs,
    ttlResolution: 0,
    perf: { now },
  });
  let serial = 0;

  async function tell(type: string, about: ObjectRef, reason: string, message: string) {
    const key = [about.kind, about.namespace, about.name, about.uid, reason, message].join('\n');
    const at = new Date(now()).toISOString();
    const before = told.get(key);
    try {
      await (before ? repeat(before, at) : begin(key, at, { type, about, reason, message }));
    } catch (error) {
      // It was not made, or is there no more: the next one begins anew.
      told.delete(key);
      throw error;
    }
  }

  async function repeat(before: Told, at: string) {
    before.count += 1;
    const patch = { count: before.count, lastTimestamp: at };
    await api.patch(resourcePath('events', before), 'merge', patch);
  }

  async function begin(key: string, at: string, { type, about, reason, message }: Telling) {
    const namespace = about.namespace ?? 'default';
    serial += 1;
    const name = `${about.name.slice(0, 200)}.${now().toString(16)}${serial.toString(16)}`;
    told.set(key, { name, namespace, count: 1 });
    const event = {
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
    };
    await api.create(resourcePath('events', { namespace }), event);
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
