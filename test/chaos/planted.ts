import { MiB } from '../support/objects.ts';
import type {
  ClaimObject,
  LocalVolumeObject,
  PersistentVolumeObject,
  PodObject,
  PoolFile,
  World,
} from './world.ts';

/** Two nodes with a pool of 20 MiB each. */
export const totals = { nodes: ['n1', 'n2'], pools: new Map([['p', 20 * MiB]]) };

export function claimObject(name: string, volumeName?: string): ClaimObject {
  const phase = volumeName === undefined ? 'Pending' : 'Bound';
  return {
    metadata: { name, uid: `uid-${name}` },
    spec: {
      storageClassName: 'p.discard',
      resources: { requests: { storage: '8Mi' } },
      ...(volumeName !== undefined && { volumeName }),
    },
    status: { phase },
  };
}

export function podObject(name: string, claim: string, nodeName?: string): PodObject {
  return {
    metadata: { name, uid: `uid-pod-${name}` },
    spec: {
      ...(nodeName !== undefined && { nodeName }),
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: claim } }],
    },
  };
}

export function localVolume(claim: string, node: string): LocalVolumeObject {
  return {
    metadata: { name: `pvc-uid-${claim}`, uid: `uid-lv-${claim}` },
    spec: { node, pool: 'p', bytes: 8 * MiB, claimRef: { uid: `uid-${claim}` } },
    status: { phase: 'Ready' },
  };
}

export function persistentVolume(claim: string, node: string): PersistentVolumeObject {
  const matchExpressions = [{ values: [node] }];
  return {
    metadata: { name: `pvc-uid-${claim}`, uid: `uid-pv-${claim}` },
    spec: {
      claimRef: { uid: `uid-${claim}` },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions }] } },
    },
  };
}

export function image(claim: string, node: string): PoolFile {
  const name = `pvc-uid-${claim}`;
  const header = { name, volumeUid: `uid-lv-${claim}`, pool: 'p', bytes: 8 * MiB };
  const path = `/pools/p/${name}.img`;
  return { node, pool: 'p', name, path, isImage: true, size: 9 * MiB, inode: 7, header };
}

function nodeObject(name: string, free: number): World['nodes'][number] {
  const report = { total: 20 * MiB, free, largest: free, generation: 1, healthy: true };
  const annotations = { 'capacity.berth.dev/p': JSON.stringify(report) };
  return { metadata: { name, uid: `uid-${name}`, annotations } };
}

function storageNode(name: string, free: number): World['storageNodes'][number] {
  const status = { pools: [{ name: 'p', free }], orphans: [] };
  return { metadata: { name, uid: `uid-sn-${name}` }, status };
}

/** A world in which all is well: a pod with a volume on n1, and nothing else. */
export function wellWorld(): World {
  return {
    claims: [claimObject('c', 'pvc-uid-c')],
    pods: [podObject('c', 'c', 'n1')],
    persistentVolumes: [persistentVolume('c', 'n1')],
    localVolumes: [localVolume('c', 'n1')],
    nodes: [nodeObject('n1', 11 * MiB), nodeObject('n2', 20 * MiB)],
    storageNodes: [storageNode('n1', 11 * MiB), storageNode('n2', 20 * MiB)],
    files: [image('c', 'n1')],
    links: [{ node: 'n1', name: 'pvc-uid-c', target: '/dev/loop1' }],
    loops: [{ device: '/dev/loop1', volume: 'pvc-uid-c', inode: 7, offset: MiB, size: 8 * MiB }],
  };
}
