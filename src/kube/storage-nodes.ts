import { bytes } from '../model/bytes.ts';
import { apiVersion } from '../model/names.ts';
import { piecesOf } from '../model/pieces.ts';
import type {
  DeviceStanding,
  NodeStanding,
  OrphanStanding,
  PoolStanding,
  StandingStore,
} from '../usecases/node-ports.ts';
import { isNotFound, type KubeApi } from './api.ts';
import type { Device, Orphan, PoolStatusOnNode, StorageNodeObject } from './custom-objects.ts';
import { readLive } from './live.ts';
import { resourcePath } from './paths.ts';

/** An orphan as it stands in JSON. */
export function toOrphanStanding(orphan: Orphan): OrphanStanding {
  const { usableBytes } = orphan;
  return {
    ...orphan,
    bytes: bytes(orphan.bytes),
    usableBytes: usableBytes === undefined ? undefined : bytes(usableBytes),
  };
}

function toPoolStanding(pool: PoolStatusOnNode): PoolStanding {
  const { total, free, largest, disks, pieces, thin } = pool;
  return {
    ...pool,
    ...{ total: bytes(total), free: bytes(free), largest: bytes(largest) },
    pieces: pieces && piecesOf(pieces.sizes.map(bytes), pieces.whole),
    thin: thin && {
      ...thin,
      ...{ physical: bytes(thin.physical), committed: bytes(thin.committed) },
    },
    disks: disks?.map((disk) => ({ ...disk, bytes: bytes(disk.bytes) })),
  };
}

function toDeviceStanding(device: Device): DeviceStanding {
  const partitions = device.partitions ?? [];
  return {
    ...device,
    bytes: bytes(device.bytes),
    links: device.links ?? [],
    partitions: partitions.map((one) => ({ ...one, bytes: bytes(one.bytes) })),
    holders: device.holders ?? [],
    mountPoints: device.mountPoints ?? [],
  };
}

export interface NodeIdentity {
  readonly node: string;
  /** What is to be written down of the machine; nothing leaves what is written. */
  readonly machineId: () => string | undefined;
  readonly agentVersion: string;
}

export interface StorageNodeStore extends StandingStore {
  /** What an earlier agent of this node has written; empty where none has. Live. */
  read(): Promise<Partial<NodeStanding> & { readonly machineId?: string }>;
}

/**
 * This node's StorageNode. It has no owner: a Node that is deleted and comes back must find what
 * is known of its disks.
 */
export function storageNodeStore(api: KubeApi, identity: NodeIdentity): StorageNodeStore {
  const { node: name, agentVersion } = identity;
  let written = '';

  async function read(): ReturnType<StorageNodeStore['read']> {
    const object = await readLive<StorageNodeObject>(api, resourcePath('storagenodes', { name }));
    const { machineID, generation, pools, orphans, devices, health } = object?.status ?? {};
    return {
      ...(machineID !== undefined && { machineId: machineID }),
      ...(generation !== undefined && { generation }),
      ...(orphans !== undefined && {
        orphans: orphans.map(toOrphanStanding),
      }),
      ...(pools !== undefined && { pools: pools.map(toPoolStanding) }),
      ...(devices !== undefined && { devices: devices.map(toDeviceStanding) }),
      ...(health !== undefined && { health }),
    };
  }

  async function patch(status: object): Promise<void> {
    const path = resourcePath('storagenodes', { name, subresource: 'status' });
    await api.patch(path, 'merge', { status });
  }

  async function write(standing: NodeStanding): Promise<void> {
    const { generation, pools, orphans, devices, health = [] } = standing;
    const machineID = identity.machineId();
    const status = { machineID, agentVersion, generation, pools, orphans, devices, health };
    const text = JSON.stringify(status);
    if (text === written) {
      return;
    }
    try {
      await patch(status);
    } catch (error) {
      if (!isNotFound(error)) {
        throw error;
      }
      const object = { apiVersion, kind: 'StorageNode', metadata: { name } };
      await api.create(resourcePath('storagenodes'), object);
      await patch(status);
    }
    written = text;
  }

  return { read, write };
}
