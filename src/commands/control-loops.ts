import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { ControlMetrics } from '../http/control-metrics.ts';
import { runWhileLeading } from '../kube/leader.ts';
import { nodesWithMedia } from '../kube/discovery-facts.ts';
import { keyOf } from '../kube/objects.ts';
import { writePoolStatus } from '../kube/pool-status.ts';
import { describeError } from '../model/errors.ts';
import { volumeName } from '../model/names.ts';
import { Controller, type Reconcile } from '../usecases/controller.ts';
import { expandClaims, type ClaimExpansion } from '../usecases/expand-claim.ts';
import { giveUpVolume } from '../usecases/give-up-volume.ts';
import { keepDiscovery } from '../usecases/keep-discovery.ts';
import { noticeUnscheduled } from '../usecases/notice-unscheduled.ts';
import { provisionClaim } from '../usecases/provision-claim.ts';
import { releaseVolume } from '../usecases/release-volume.ts';
import { showVolumeHealth } from '../usecases/show-volume-health.ts';
import { wakePods } from '../usecases/wake-pods.ts';
import {
  claimsToProvision,
  listenToGrowth,
  listenToVolumes,
  listenToPools,
  listenToRoom,
  mayExpand,
  type Enqueue,
} from './control-changes.ts';
import { listenToDiscovery } from './control-discovery.ts';
import type { ControlConfig, ControlParts } from './control-parts.ts';
import { listenToNodes } from './listen-to-nodes.ts';

/** One loop: what it does for a key, and how it hears which keys have work. */
interface Loop {
  readonly name: string;
  readonly reconcile: Reconcile;
  readonly workers: number;
  /** All keys there are, for the start of a term. */
  readonly keys: () => Iterable<string>;
}

/**
 * Runs the loops of `berth control` while this replica leads. Keys are heard of at any time,
 * also by a replica that does not lead: it starts its term with all keys anyway.
 */
export async function runLoops(
  parts: ControlParts,
  config: ControlConfig,
  metrics: ControlMetrics,
  signal: AbortSignal,
): Promise<void> {
  const { leaseApi: api, log, now, state } = parts;
  const expansion = expandClaims({ ...parts, ...parts.forGrowth });
  const loops = loopsOf(parts, config, metrics, expansion);
  const running = new Map<string, Controller>();
  const enqueue = (name: string, key: string): void => running.get(name)?.enqueue(key);
  listen(parts, enqueue);
  listenToRoom(parts, (node) => {
    enqueue('wake', node);
    expansion.waitingOn(node).forEach((claim) => enqueue('expand', claim));
  });
  const work = async (term: AbortSignal): Promise<void> => {
    const controllers = loops.map((loop) => {
      const controller = open(loop, parts, metrics);
      running.set(loop.name, controller);
      for (const key of loop.keys()) {
        controller.enqueue(key);
      }
      return controller.run(term);
    });
    await Promise.all(controllers);
    running.clear();
  };
  while (state.notSynced().length > 0 && !signal.aborted) {
    await parts.sleep(50, signal);
  }
  const identity = `${hostname()}_${randomUUID()}`;
  const { namespace } = config;
  await runWhileLeading(
    { api, log, now, namespace, name: 'berth-control', identity },
    work,
    signal,
  );
}

function loopsOf(
  parts: ControlParts,
  config: ControlConfig,
  metrics: ControlMetrics,
  expansion: ClaimExpansion,
): readonly Loop[] {
  const { state } = parts;
  const keysOf = (objects: Iterable<object>): string[] => [...objects].map(keyOf);
  return [
    {
      name: 'release',
      reconcile: releaseVolume({
        ...parts,
        ...parts.forRelease,
        abandonedAfterMs: config.abandonedAfter,
      }),
      workers: 8,
      keys: () => [
        ...keysOf(state.localVolumes.list()),
        ...keysOf(state.persistentVolumes.list()).filter((name) => isOurPv(parts, name)),
      ],
    },
    {
      name: 'node-loss',
      reconcile: giveUpVolume({ ...parts, givenUp: () => metrics.volumeGivenUp() }),
      workers: 8,
      keys: () => keysOf(state.localVolumes.list()),
    },
    {
      name: 'volume-health',
      reconcile: showVolumeHealth(parts),
      workers: 4,
      keys: () => keysOf(state.localVolumes.list()),
    },
    {
      name: 'provision-claim',
      reconcile: provisionClaim({ ...parts, lookup: parts.liveLookup }),
      workers: 16,
      keys: () => unboundClaims(parts),
    },
    {
      name: 'expand',
      reconcile: expansion.reconcile,
      workers: 8,
      keys: () => keysOf([...state.claims.list()].filter(mayExpand)),
    },
    {
      name: 'wake',
      reconcile: wakePods(parts),
      workers: 1,
      keys: () => parts.nodes.names(),
    },
    {
      name: 'unscheduled',
      reconcile: noticeUnscheduled(parts),
      workers: 1,
      keys: () => keysOf(state.pods.list()),
    },
    {
      ...{ name: 'discovery', workers: 4 },
      reconcile: keepDiscovery(parts),
      keys: () => nodesWithMedia(state),
    },
    {
      name: 'pool-status',
      reconcile: writePoolStatus(parts),
      workers: 1,
      keys: () => keysOf(state.pools.list()),
    },
  ];
}

function open(loop: Loop, { log, sleep }: ControlParts, metrics: ControlMetrics): Controller {
  return new Controller({
    reconcile: loop.reconcile,
    workers: loop.workers,
    firstPauseMs: 500,
    longestPauseMs: 60_000,
    sleep,
    onError: (key, error, pauseMs) => {
      metrics.reconcileFailed(loop.name);
      const reason = describeError(error);
      log.warn('a loop failed for a key', { loop: loop.name, key, reason, pauseMs });
    },
  });
}

function isOurPv({ persistentVolumes }: ControlParts, name: string): boolean {
  return persistentVolumes.get(name)?.ours === true;
}

function unboundClaims({ state }: ControlParts): string[] {
  return [...state.claims.list()].filter((claim) => !claim.spec?.volumeName).map(keyOf);
}

/** Which change means work for which key. */
function listen(parts: ControlParts, enqueue: Enqueue): void {
  listenToVolumes(parts, enqueue);
  listenToClaims(parts, enqueue);
  listenToGrowth(parts, enqueue);
  listenToNodes(parts.state, (volume) => enqueue('node-loss', volume));
  listenToPools(parts, enqueue);
  listenToDiscovery(parts.state, enqueue);
}

function listenToClaims({ state }: ControlParts, enqueue: Enqueue): void {
  state.claims.onChange((before, after) => {
    if (after && !after.spec?.volumeName) {
      enqueue('provision-claim', keyOf(after));
    }
    if (!after && before?.metadata?.uid !== undefined) {
      enqueue('release', volumeName(before.metadata.uid));
    }
  });
  state.pods.onChange((before, after) => {
    if (after) {
      claimsToProvision(after, state).forEach((key) => enqueue('provision-claim', key));
    }
    if (after && !before) {
      enqueue('unscheduled', keyOf(after));
    }
  });
}
