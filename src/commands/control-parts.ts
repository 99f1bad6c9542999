import { parsePoolSpec } from '../backends/index.ts';
import type { SettingValues } from '../config/settings.ts';
import type { controlSettings } from '../config/control-settings.ts';
import { claimStore } from '../kube/claim-store.ts';
import type { KubeClient } from '../kube/client.ts';
import {
  clusterLookup,
  feedLedger,
  watchCluster,
  type ClusterState,
} from '../kube/cluster-state.ts';
import { eventSink } from '../kube/events.ts';
import { localVolumeStore } from '../kube/local-volumes.ts';
import { lossRecord } from '../kube/loss-record.ts';
import { mediumStore } from '../kube/medium-store.ts';
import { NodeIndex, type PoolRules } from '../kube/node-index.ts';
import { nodeStore } from '../kube/node-state.ts';
import { persistentVolumeStore } from '../kube/persistent-volumes.ts';
import { podStore } from '../kube/pods.ts';
import { waiter } from '../kube/waiter.ts';
import { hostnameLabel } from '../model/names.ts';
import type { FaultPoints } from '../platform/fault-points.ts';
import { sleep } from '../platform/sleep.ts';
import { BindLag } from '../scheduling/bind-lag.ts';
import { Holds } from '../scheduling/holds.ts';
import { Ledger } from '../scheduling/ledger.ts';
import { BindLoad } from '../usecases/bind-load.ts';
import type { Log } from '../usecases/ports.ts';
import { provision } from '../usecases/provision.ts';
import { readDiscovery } from './control-discovery.ts';
import { atSteps, controlSteps } from './fault-steps.ts';

export type ControlConfig = SettingValues<typeof controlSettings>;

/** Everything that the verbs and the loops of `berth control` share. */
export type ControlParts = ReturnType<typeof controlParts>;

const now = (): number => Date.now();

// The parts name their own types; a written one would only repeat them.
// eslint-disable-next-line @typescript-eslint/explicit-module-boundary-types
export function controlParts(
  client: KubeClient,
  config: ControlConfig,
  log: Log,
  points?: FaultPoints,
) {
  const { api } = client;
  const state = watchCluster(client, log, config.namespace);
  const ledger = new Ledger();
  const poolRules = readPoolRules(state);
  const silentAfterMs = config.nodeSilentAfter;
  const nodes = new NodeIndex({ ledger, poolRules, now, silentAfterMs });
  feedLedger(state, ledger, nodes);
  const volumes = localVolumeStore(api, state.localVolumes, waiter(state.localVolumes));
  const hostname = (node: string): string | undefined => nodes.node(node)?.labels[hostnameLabel];
  const memory = state.persistentVolumes;
  const persistentVolumes = persistentVolumeStore({ api, memory, hostname });
  const claims = claimStore(api, state.claims);
  const forBind = {
    volumes: atSteps(volumes, controlSteps.bindVolumes, points),
    persistentVolumes: atSteps(persistentVolumes, controlSteps.bindPersistentVolumes, points),
  };
  const readyTimeoutMs = config.readyTimeout;
  const changes = bell();
  const ring = changes.ring;
  return {
    api,
    state,
    ledger,
    nodes,
    volumes,
    persistentVolumes,
    now,
    log,
    sleep,
    claims,
    nodeObjects: nodeStore(api),
    losses: lossRecord(api),
    readDiscovery,
    media: atSteps(mediumStore(api, state, readDiscovery), controlSteps.media, points),
    pods: atSteps(podStore(api, state.pods, now), controlSteps.pods, points),
    /** What releasing volumes uses in place of the stores above. */
    forRelease: {
      volumes: atSteps(volumes, controlSteps.releaseVolumes, points),
      persistentVolumes: atSteps(persistentVolumes, controlSteps.releasePersistentVolumes, points),
      claims: atSteps(claims, controlSteps.releaseClaims, points),
    },
    /** What lets volumes grow uses in place of the stores above. */
    forGrowth: {
      volumes: atSteps(volumes, controlSteps.growVolumes, points),
      persistentVolumes: atSteps(persistentVolumes, controlSteps.growPersistentVolumes, points),
      claims: atSteps(claims, controlSteps.growClaims, points),
    },
    leaseApi: atSteps(api, controlSteps.leaderLease, points),
    lookup: clusterLookup(state, api, poolRules),
    liveLookup: clusterLookup(state, api, poolRules, true),
    holds: new Holds(ring),
    lag: new BindLag(),
    load: new BindLoad(ring),
    changes,
    events: eventSink({ api, log, now, component: 'berth-control' }),
    provision: provision({ ledger, nodes, ...forBind, log, readyTimeoutMs }),
  };
}

/** Reads each StoragePool once per change, not once per question. */
function readPoolRules(state: ClusterState): PoolRules {
  const rules = new Map<string, ReturnType<PoolRules>>();
  state.pools.onChange((before, after) => {
    const name = (after ?? before)?.metadata.name ?? '';
    // Nothing new is put into a pool that is going.
    const isGoing = after?.metadata.deletionTimestamp !== undefined;
    const plan = after && !isGoing ? parsePoolSpec(after.spec) : undefined;
    if (plan?.ok) {
      const { allocatedFor, gives, fixedSize = false } = plan.value;
      rules.set(name, { allocatedFor, gives, fixedSize });
    } else {
      rules.delete(name);
    }
  });
  return (pool) => rules.get(pool);
}

/** Lets filters wait for the next change of what is promised. */
function bell() {
  let waiting: (() => void)[] = [];
  return {
    ring: (): void => {
      const woken = waiting;
      waiting = [];
      woken.forEach((wake) => wake());
    },
    /** Resolves at the next ring, or after `ms`. */
    next: (ms: number): Promise<void> =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, ms);
        waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
}
