import { Registry } from 'prom-client';
import { parsePoolSpec } from '../backends/index.ts';
import type { PoolsThatCut } from '../backends/discovery-owners.ts';
import { isDiscoverySpec } from '../backends/discovery-options.ts';
import { DiskOwners } from '../backends/shared/disk-owners.ts';
import { openPool } from '../backends/shared/open-pool.ts';
import type { nodeSettings } from '../config/node-settings.ts';
import type { SettingValues } from '../config/settings.ts';
import type { KubeClient } from '../kube/client.ts';
import { discoveryBoard } from '../kube/discovery-board.ts';
import { eventSink } from '../kube/events.ts';
import { nodeBoard } from '../kube/node-board.ts';
import { renewNodeLease } from '../kube/node-lease.ts';
import { ioLimitsBoard, nodeVolumes } from '../kube/node-volumes.ts';
import { liveOwners, purgeRequests } from '../kube/purge-requests.ts';
import {
  storageNodeStore,
  type NodeIdentity,
  type StorageNodeStore,
} from '../kube/storage-nodes.ts';
import { toPoolDeclaration } from '../kube/storage-pools.ts';
import { namesPath } from '../model/device-selector.ts';
import { ok } from '../model/result.ts';
import { listDisks, lookAtDisk } from '../platform/block-devices.ts';
import { entryOfDevice } from '../platform/device-entries.ts';
import type { FaultPoints } from '../platform/fault-points.ts';
import { countedRuns } from '../platform/counted-runs.ts';
import { filesystems } from '../platform/filesystems.ts';
import { nodeMeter } from '../platform/node-meter.ts';
import { rememberedDisks, type RememberedDisks } from '../platform/remembered-disks.ts';
import { runCommand, type RunCommand } from '../platform/run-command.ts';
import type { DiscoveryBoard } from '../usecases/discovery-ports.ts';
import type { EncryptedStorage } from '../usecases/encryption-ports.ts';
import type { ShowIoLimits } from '../usecases/io-limit-ports.ts';
import { MachineIdentity } from '../usecases/machine-identity.ts';
import { NodePools } from '../usecases/node-pools.ts';
import { oneAtATime, type InTurn } from '../usecases/one-at-a-time.ts';
import type {
  Filesystems,
  LiveOwners,
  NodeBoard,
  NodeMeter,
  NodeVolumes,
  PurgeRequests,
} from '../usecases/node-ports.ts';
import type { EventSink, Log } from '../usecases/ports.ts';
import { directoriesOfPools, discoveryDirectories, whoHasDisk } from './disk-claims.ts';
import { atSteps, commandsAtSteps, nodeSteps } from './fault-steps.ts';
import { nodeMemory, type NodeMemory } from './node-memory.ts';
import { nodeEncryption } from './node-encryption.ts';

export type NodeConfig = SettingValues<typeof nodeSettings>;

/** What the agent sees and uses, each behind its port. */
export interface NodeParts {
  readonly memory: NodeMemory;
  readonly volumes: NodeVolumes;
  readonly showIoLimits: ShowIoLimits;
  readonly board: NodeBoard;
  readonly machine: MachineIdentity;
  readonly requests: PurgeRequests;
  readonly discovery: DiscoveryBoard;
  readonly owners: LiveOwners;
  /** Opens this node's StorageNode. */
  readonly standings: (identity: NodeIdentity) => StorageNodeStore;
  /** Says that the agent lives. */
  readonly lease: { readonly renew: (at: number) => Promise<void> };
  readonly filesystems: Filesystems;
  readonly encryption: EncryptedStorage;
  readonly pools: NodePools;
  /** Reads the declarations again, with the node's labels of now. */
  readonly refreshPools: () => void;
  readonly disks: RememberedDisks;
  /** Runs programs, and counts them. */
  readonly run: RunCommand;
  /** What they have is offered to nobody whole. */
  readonly cutting: PoolsThatCut;
  /** What has not been read from the API server yet. */
  readonly notSynced: () => readonly string[];
  readonly events: EventSink;
  readonly metrics: Registry;
  readonly meter: NodeMeter;
}

export interface NodePartsOptions {
  readonly points?: FaultPoints | undefined;
  /** Reads the declaration of a pool. */
  readonly parse?: typeof parsePoolSpec;
}

/** Puts the parts together; nothing runs yet. */
export function nodeParts(
  client: KubeClient,
  config: NodeConfig,
  log: Log,
  { points, parse = parsePoolSpec }: NodePartsOptions = {},
): NodeParts {
  const { nodeName, namespace, runDir } = config;
  const { api } = client;
  const memory = nodeMemory(client, nodeName, log);
  const volumes = atSteps(nodeVolumes(api, memory.volumes, nodeName), nodeSteps.volumes, points);
  const board = atSteps(nodeBoard(api, memory.nodes, nodeName), nodeSteps.board, points);
  const requests = purgeRequests(api, memory.storageNode, nodeName);
  const renew = (at: number): Promise<void> =>
    renewNodeLease({ api, namespace, node: nodeName }, at);

  const machine = new MachineIdentity(volumes);

  const rows = new Map<string, InTurn>();
  const metrics = new Registry();
  const run = commandsAtSteps(countedRuns(runCommand, metrics), points);
  // Loop devices come and go with volumes: they matter only where a pool is to be made of them.
  const disks = rememberedDisks(
    listDisks(run),
    (kname) =>
      !/^(loop|z?ram)\d/.test(kname) ||
      pools.list().some(({ devices }) => devices && namesPath(devices, `/dev/${kname}`)),
    () => performance.now(),
  );
  const takeInTurn = oneAtATime();
  const owners: DiskOwners = new DiskOwners((name) => pools.get(name) !== undefined);
  const offeredAs = (path: string): Promise<string | undefined> =>
    entryOfDevice(path, discoveryDirectories(memory.pools.list()));
  const pools: NodePools = new NodePools((pool, spec) => {
    const declared = parse(spec);
    if (!declared.ok) {
      return declared;
    }
    const { backend, source, directory, gives, keepForMs, devices } = declared.value;
    const hasVolumes = (): boolean =>
      volumes
        .list()
        .some(
          ({ uid, spec, status }) =>
            spec.pool === pool &&
            status.allocatedBytes !== undefined &&
            machine.lossOf(uid) === undefined,
        );
    const inTurn = rows.get(pool) ?? oneAtATime();
    rows.set(pool, inTurn);
    const around = { pool, runDir, run, now: Date.now, hasVolumes, inTurn };
    const shared = { disks, lookAt: lookAtDisk(run), owners, offeredAs, takeInTurn };
    const open = () => openPool(declared.value, around, shared);
    return ok({
      ...{ backend, source, directory, devices, gives, keepForMs },
      open: () => atSteps(open(), nodeSteps.storage, points),
    });
  });

  return {
    memory,
    volumes,
    showIoLimits: ioLimitsBoard(api),
    board,
    machine,
    requests,
    discovery: atSteps(
      discoveryBoard(api, memory.storageNode, nodeName),
      nodeSteps.discovery,
      points,
    ),
    owners: liveOwners(api, nodeName),
    standings: (identity) => atSteps(storageNodeStore(api, identity), nodeSteps.standings, points),
    filesystems: atSteps(filesystems(run, `${runDir}.mounts`), nodeSteps.filesystems, points),
    encryption: nodeEncryption(api, config, run),
    lease: atSteps({ renew }, nodeSteps.lease, points),
    pools,
    disks,
    run,
    cutting: {
      whoHas: (disk) => whoHasDisk(disk, pools, owners),
      directories: () => directoriesOfPools(pools),
    },
    refreshPools: (): void => {
      const held = new Set([
        ...volumes.list().map(({ spec }) => spec.pool),
        ...requests.list().map(({ pool }) => pool),
      ]);
      // Pools that cut nothing have a loop of their own.
      const cutting = [...memory.pools.list()].filter(({ spec }) => !isDiscoverySpec(spec));
      const declared = cutting.map(toPoolDeclaration);
      pools.update(declared, board.shown()?.labels ?? {}, held);
    },
    notSynced: () =>
      Object.entries(memory).flatMap(([name, { synced }]) => (synced ? [] : [`${name} not read`])),
    events: eventSink({ api, log, now: Date.now, component: 'berth-node', host: nodeName }),
    metrics,
    meter: nodeMeter(metrics),
  };
}
