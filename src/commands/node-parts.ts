import { Registry } from 'prom-client';
import { parsePoolSpec } from '../backends/index.ts';
import type { nodeSettings } from '../config/node-settings.ts';
import type { SettingValues } from '../config/settings.ts';
import type { KubeApi } from '../kube/api.ts';
import type { KubeClient } from '../kube/client.ts';
import type {
  LocalVolumeObject,
  StorageNodeObject,
  StoragePoolObject,
} from '../kube/custom-objects.ts';
import { eventSink } from '../kube/events.ts';
import { nodeBoard } from '../kube/node-board.ts';
import { nodeVolumes } from '../kube/node-volumes.ts';
import type { Node, ObjectMeta } from '../kube/objects.ts';
import { resourcePath } from '../kube/paths.ts';
import { purgeRequests } from '../kube/purge-requests.ts';
import { createReflector, type Reflector } from '../kube/reflector.ts';
import { toPoolDeclaration } from '../kube/storage-pools.ts';
import { labelValue } from '../model/label-value.ts';
import { nodeLabel } from '../model/names.ts';
import { ok } from '../model/result.ts';
import { nodeMeter } from '../platform/node-meter.ts';
import { runCommand } from '../platform/run-command.ts';
import { MachineIdentity } from '../usecases/machine-identity.ts';
import { NodePools } from '../usecases/node-pools.ts';
import { oneAtATime, type InTurn } from '../usecases/one-at-a-time.ts';
import type { NodeBoard, NodeMeter, NodeVolumes, PurgeRequests } from '../usecases/node-ports.ts';
import type { EventSink, Log } from '../usecases/ports.ts';

export type NodeConfig = SettingValues<typeof nodeSettings>;

/** What the agent sees and uses, each behind its port. */
export interface NodeParts {
  readonly api: KubeApi;
  readonly memory: {
    readonly pools: Reflector<StoragePoolObject>;
    readonly nodes: Reflector<Node>;
    readonly volumes: Reflector<LocalVolumeObject>;
    readonly storageNode: Reflector<StorageNodeObject>;
  };
  readonly volumes: NodeVolumes;
  readonly board: NodeBoard;
  readonly machine: MachineIdentity;
  readonly requests: PurgeRequests;
  readonly pools: NodePools;
  /** Reads the declarations again, with the node's labels of now. */
  readonly refreshPools: () => void;
  /** What has not been read from the API server yet. */
  readonly notSynced: () => readonly string[];
  readonly events: EventSink;
  readonly metrics: Registry;
  readonly meter: NodeMeter;
}

/**
 * Puts the parts together; nothing runs yet.
 *
 * @param parse - reads the declaration of a pool
 */
export function nodeParts(
  client: KubeClient,
  config: NodeConfig,
  log: Log,
  parse = parsePoolSpec,
): NodeParts {
  const { nodeName, runDir } = config;
  const { api } = client;
  const reflector = { ...client, log };
  const memory = {
    pools: createReflector<StoragePoolObject>({ ...reflector, path: resourcePath('storagepools') }),
    nodes: createReflector<Node>({
      ...reflector,
      path: resourcePath('nodes'),
      selector: { fieldSelector: `metadata.name=${nodeName}` },
      trim: withoutBulk,
    }),
    volumes: createReflector<LocalVolumeObject>({
      ...reflector,
      path: resourcePath('localvolumes'),
      selector: { labelSelector: `${nodeLabel}=${labelValue(nodeName)}` },
    }),
    storageNode: createReflector<StorageNodeObject>({
      ...reflector,
      path: resourcePath('storagenodes'),
      selector: { fieldSelector: `metadata.name=${nodeName}` },
      trim: withoutStatus,
    }),
  };
  const volumes = nodeVolumes(api, memory.volumes, nodeName);
  const board = nodeBoard(api, memory.nodes, nodeName);
  const requests = purgeRequests(api, memory.storageNode, nodeName);

  const machine = new MachineIdentity(volumes);

  const rows = new Map<string, InTurn>();
  const pools = new NodePools((pool, spec) => {
    const declared = parse(spec);
    if (!declared.ok) {
      return declared;
    }
    const { backend, source, keepForMs, open } = declared.value;
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
    const around = { pool, runDir, run: runCommand, now: Date.now, hasVolumes, inTurn };
    return ok({ backend, source, keepForMs, open: () => open(around) });
  });

  const metrics = new Registry();
  return {
    api,
    memory,
    volumes,
    board,
    machine,
    requests,
    pools,
    refreshPools: (): void => {
      const held = new Set([
        ...volumes.list().map(({ spec }) => spec.pool),
        ...requests.list().map(({ pool }) => pool),
      ]);
      const declared = [...memory.pools.list()].map(toPoolDeclaration);
      pools.update(declared, board.shown()?.labels ?? {}, held);
    },
    notSynced: () =>
      Object.entries(memory).flatMap(([name, { synced }]) => (synced ? [] : [`${name} not read`])),
    events: eventSink({ api, log, now: Date.now, component: 'berth-node', host: nodeName }),
    metrics,
    meter: nodeMeter(metrics),
  };
}

/** What the agent says itself comes back to it with every report. */
function withoutStatus({ metadata, spec }: StorageNodeObject): StorageNodeObject {
  return { metadata, ...(spec && { spec }) };
}

/** A Node carries the names of all its images; neither its status nor its spec is used. */
function withoutBulk({ metadata = {} }: Node): Node {
  const { name, uid, resourceVersion, labels, annotations } = metadata;
  return { metadata: { name, uid, resourceVersion, labels, annotations } as ObjectMeta };
}
