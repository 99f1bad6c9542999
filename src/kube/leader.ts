import { setMaxListeners } from 'node:events';
import { describeError } from '../model/errors.ts';
import { sleep as platformSleep } from '../platform/sleep.ts';
import type { Log, Now } from '../usecases/ports.ts';
import { isConflict, type KubeApi } from './api.ts';
import { readLive } from './live.ts';
import type { Lease } from './objects.ts';
import { resourcePath } from './paths.ts';

export interface LeaderOptions {
  readonly api: KubeApi;
  readonly log: Log;
  readonly now: Now;
  readonly namespace: string;
  /** The name of the Lease. */
  readonly name: string;
  /** Who we are; different for every process. */
  readonly identity: string;
  /** Waits, or ends early and quietly when the signal fires. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** The version of the Lease that was seen last, and when by our own clock it was new. */
interface Observed {
  version: string;
  at: number;
}

/** As kube-controller-manager's defaults: client-go tools/leaderelection. */
const leaseMs = 15_000;
const renewMs = 5_000;
const giveUpMs = 10_000;

/**
 * Runs `work` whenever this process holds the Lease, until `signal` fires.
 *
 * The signal that `work` gets fires when the Lease may be lost; it has ended before another can
 * take over, unless this process is paused. So nothing may rest on there being only one.
 * Resolves, and never rejects.
 */
export async function runWhileLeading(
  options: LeaderOptions,
  work: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { log, identity, now, sleep = platformSleep } = options;
  const observed: Observed = { version: '', at: 0 };
  while (!signal.aborted) {
    const askedAt = now();
    if (!(await tryToLead(options, observed))) {
      await sleep(renewMs / 2, signal);
      continue;
    }
    log.info('leading', { identity });
    const term = new AbortController();
    const ending = AbortSignal.any([signal, term.signal]);
    // Every loop of the leader waits for it.
    setMaxListeners(0, ending);
    const working = work(ending);
    await keepLeading(options, observed, askedAt, ending);
    term.abort();
    await working;
    log.info('no longer leading', { identity });
  }
  await release(options);
}

/**
 * Renews the Lease again and again. Resolves when it may be lost, in time also where the API
 * server does not answer: others count from the last renewal, not from when a request fails.
 */
async function keepLeading(
  options: LeaderOptions,
  observed: Observed,
  takenAt: number,
  signal: AbortSignal,
): Promise<void> {
  const { now, sleep = platformSleep } = options;
  let renewedAt = takenAt;
  while (!signal.aborted && now() - renewedAt < giveUpMs) {
    await sleep(renewMs, signal);
    const askedAt = now();
    const leftMs = giveUpMs - (askedAt - renewedAt);
    if (leftMs > 0 && !signal.aborted) {
      const answered = new AbortController();
      const patience = sleep(leftMs, AbortSignal.any([signal, answered.signal]));
      const renewed = await Promise.race([
        tryToLead(options, observed),
        patience.then(() => false),
      ]);
      answered.abort();
      renewedAt = renewed ? askedAt : renewedAt;
    }
  }
}

/** Takes or renews the Lease. An unreachable API server counts as "not now". */
async function tryToLead(options: LeaderOptions, observed: Observed): Promise<boolean> {
  try {
    return await takeLease(options, observed);
  } catch (error) {
    if (!isConflict(error)) {
      options.log.warn('the Lease could not be renewed', { reason: describeError(error) });
    }
    return false;
  }
}

async function takeLease(
  { api, now, namespace, name, identity }: LeaderOptions,
  observed: Observed,
): Promise<boolean> {
  const path = resourcePath('leases', { namespace, name });
  const held = await readLive<Lease>(api, path);
  const renewTime = `${new Date(now()).toISOString().slice(0, -1)}000Z`;
  const spec = {
    holderIdentity: identity,
    leaseDurationSeconds: leaseMs / 1000,
    renewTime,
    acquireTime: held?.spec?.holderIdentity === identity ? held.spec.acquireTime : renewTime,
  };
  const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', spec };
  if (!held) {
    await api.create(resourcePath('leases', { namespace }), {
      ...lease,
      metadata: { namespace, name },
    });
    return true;
  }
  const version = held.metadata?.resourceVersion ?? '';
  if (observed.version !== version) {
    observed.version = version;
    observed.at = now();
  }
  const holder = held.spec?.holderIdentity ?? '';
  if (holder !== identity && holder !== '' && now() - observed.at < leaseMs) {
    return false;
  }
  await api.replace(path, { ...lease, metadata: { namespace, name, resourceVersion: version } });
  return true;
}

/** Lets the next one lead at once. */
async function release({ api, log, namespace, name, identity }: LeaderOptions): Promise<void> {
  const path = resourcePath('leases', { namespace, name });
  try {
    const held = await readLive<Lease>(api, path);
    if (held?.spec?.holderIdentity === identity) {
      const { resourceVersion } = held.metadata ?? {};
      await api.patch(path, 'merge', {
        metadata: { resourceVersion },
        spec: { holderIdentity: '' },
      });
    }
  } catch (error) {
    log.warn('the Lease was not released', { reason: describeError(error) });
  }
}
