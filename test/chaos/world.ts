import { createHash } from 'node:crypto';
import {
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { basename, join } from 'node:path';

import type { ApiClient } from '../cluster/api-client.ts';
import { runCommand } from '../cluster/run-command.ts';

/**
 * What is really there, read with eyes of its own: nothing here, or in the checks that rest on it,
 * comes from the program that is judged.
 */

export interface Meta {
  readonly name: string;
  readonly uid: string;
  readonly namespace?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly deletionTimestamp?: string;
}

export interface ClaimSpec {
  readonly storageClassName?: string;
  readonly volumeName?: string;
  readonly resources: { readonly requests: { readonly storage: string } };
}

export interface ClaimObject {
  readonly metadata: Meta;
  readonly spec: ClaimSpec;
  readonly status?: { readonly phase?: string };
}

export interface PodObject {
  readonly metadata: Meta;
  readonly spec: {
    readonly nodeName?: string;
    readonly volumes?: readonly {
      readonly name: string;
      readonly persistentVolumeClaim?: { readonly claimName: string };
      readonly ephemeral?: { readonly volumeClaimTemplate: { readonly spec: ClaimSpec } };
    }[];
  };
}

export interface PersistentVolumeObject {
  readonly metadata: Meta;
  readonly spec: {
    readonly claimRef?: { readonly uid?: string };
    readonly persistentVolumeReclaimPolicy?: string;
    readonly local?: { readonly path: string };
    readonly nodeAffinity?: {
      readonly required?: {
        readonly nodeSelectorTerms: readonly {
          readonly matchExpressions?: readonly { readonly values?: readonly string[] }[];
        }[];
      };
    };
  };
  readonly status?: { readonly phase?: string };
}

export interface LocalVolumeObject {
  readonly metadata: Meta;
  readonly spec: {
    readonly node: string;
    readonly pool: string;
    readonly bytes: number;
    readonly claimRef: { readonly uid: string };
  };
  readonly status?: { readonly phase?: string; readonly path?: string };
}

export interface NodeObject {
  readonly metadata: Meta;
}

export interface StorageNodeObject {
  readonly metadata: Meta;
  readonly status?: {
    readonly pools?: readonly { readonly name: string; readonly free: number }[];
    readonly orphans?: readonly { readonly name: string; readonly reason: string }[];
  };
}

/** What the API server says. */
export interface Objects {
  readonly claims: readonly ClaimObject[];
  readonly pods: readonly PodObject[];
  readonly persistentVolumes: readonly PersistentVolumeObject[];
  readonly localVolumes: readonly LocalVolumeObject[];
  readonly nodes: readonly NodeObject[];
  readonly storageNodes: readonly StorageNodeObject[];
}

/** A file in a pool's directory. */
export interface PoolFile {
  readonly node: string;
  readonly pool: string;
  /** Without the ending of an image. */
  readonly name: string;
  readonly path: string;
  readonly isImage: boolean;
  readonly size: number;
  readonly inode: number;
  /** Missing where it cannot be trusted. */
  readonly header?: Header;
}

export interface Header {
  readonly name: string;
  readonly volumeUid: string;
  readonly pool: string;
  readonly bytes: number;
}

export interface Link {
  readonly node: string;
  readonly name: string;
  readonly target: string;
}

/** A loop device on a file of one of our pools, also on one that has been deleted. */
export interface Loop {
  readonly device: string;
  readonly volume: string;
  readonly inode: number;
  readonly offset: number;
  readonly size: number;
}

/** What the machine says. */
export interface Disks {
  readonly files: readonly PoolFile[];
  readonly links: readonly Link[];
  readonly loops: readonly Loop[];
}

export interface World extends Objects, Disks {}

/** Where the nodes of a run keep what they have. */
export interface Places {
  readonly nodes: readonly string[];
  /** Name and bytes. */
  readonly pools: ReadonlyMap<string, number>;
  /** The folder that a node sees at `path`. */
  readonly folder: (node: string, path: string) => string;
}

const imageEnding = '.img';

export async function readObjects(api: ApiClient): Promise<Objects> {
  const list = async <T>(path: string): Promise<readonly T[]> =>
    (await api.request<{ items: readonly T[] }>('GET', path)).items;
  // One after another: rules that compare two kinds know which was read first.
  const pods = await list<PodObject>('/api/v1/namespaces/default/pods');
  const claims = await list<ClaimObject>('/api/v1/namespaces/default/persistentvolumeclaims');
  const persistentVolumes = await list<PersistentVolumeObject>('/api/v1/persistentvolumes');
  const localVolumes = await list<LocalVolumeObject>('/apis/berth.dev/v1alpha1/localvolumes');
  const nodes = await list<NodeObject>('/api/v1/nodes');
  const storageNodes = await list<StorageNodeObject>('/apis/berth.dev/v1alpha1/storagenodes');
  return { pods, claims, persistentVolumes, localVolumes, nodes, storageNodes };
}

async function readDisks(places: Places): Promise<Disks> {
  const files = readFiles(places);
  const links = places.nodes.flatMap((node) => readLinks(node, places));
  return { files, links, loops: await readLoops(places) };
}

export async function readWorld(api: ApiClient, places: Places): Promise<World> {
  return { ...(await readObjects(api)), ...(await readDisks(places)) };
}

export function readFiles(places: Places): PoolFile[] {
  return places.nodes.flatMap((node) =>
    [...places.pools.keys()].flatMap((pool) => {
      const folder = join(places.folder(node, '/var/lib/berth'), 'pools', pool);
      return entries(folder).flatMap((file) => readPoolFile(node, pool, join(folder, file)) ?? []);
    }),
  );
}

function readPoolFile(node: string, pool: string, path: string): PoolFile | undefined {
  try {
    const { size, ino } = lstatSync(path);
    const file = path.slice(path.lastIndexOf('/') + 1);
    const isImage = file.endsWith(imageEnding);
    const name = isImage ? file.slice(0, -imageEnding.length) : file;
    const header = isImage ? readHeader(path) : undefined;
    return { node, pool, name, path, isImage, size, inode: ino, ...(header && { header }) };
  } catch {
    // It went between the look into the folder and the look at the file.
    return undefined;
  }
}

/** The first 4 KiB of an image, as docs/design.md describes them. */
function readHeader(path: string): Header | undefined {
  const block = Buffer.alloc(4096);
  const file = openSync(path, 'r');
  try {
    readSync(file, block, 0, block.length, 0);
  } finally {
    closeSync(file);
  }
  const length = block.readUInt32LE(12);
  if (block.toString('latin1', 0, 8) !== 'BERTHVOL' || block.readUInt32LE(8) !== 1)
    return undefined;
  if (48 + length > block.length) return undefined;
  const json = block.subarray(48, 48 + length);
  const sum = createHash('sha256').update(block.subarray(0, 16)).update(json).digest();
  if (!sum.equals(block.subarray(16, 48))) return undefined;
  return JSON.parse(json.toString()) as Header;
}

function readLinks(node: string, places: Places): Link[] {
  const folder = join(places.folder(node, '/run/berth'), 'volumes');
  return entries(folder).flatMap((name) => {
    try {
      return [{ node, name, target: readlinkSync(join(folder, name)) }];
    } catch {
      return [];
    }
  });
}

interface LoopRow {
  readonly name: string;
  readonly 'back-file': string | null;
  readonly 'back-ino': number;
  readonly offset: number;
}

/** Pools of a run have names that no other run has, so a path tells whose a device is. */
async function readLoops(places: Places): Promise<Loop[]> {
  const columns = 'NAME,BACK-FILE,BACK-INO,OFFSET';
  const text = await runCommand('losetup', ['--list', '--json', '--output', columns]);
  if (text.trim() === '') return [];
  const { loopdevices } = JSON.parse(text) as { loopdevices: readonly LoopRow[] };
  return loopdevices.flatMap((row) => {
    const match = /\/pools\/([^/]+)\/([^/]+?)\.img/.exec(row['back-file'] ?? '');
    const [, pool = '', volume = ''] = match ?? [];
    if (!places.pools.has(pool)) return [];
    const { name: device, offset } = row;
    const size = 512 * Number(readFileSync(`/sys/block/${basename(device)}/size`, 'utf8'));
    return [{ device, volume, inode: row['back-ino'], offset, size }];
  });
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** `8Mi` and the like, or plain bytes. */
export function bytesOf(quantity: string): number {
  const [, digits = '', unit = ''] = /^(\d+)(Ki|Mi|Gi)?$/.exec(quantity) ?? [];
  const factor = { '': 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 }[unit] ?? NaN;
  const bytes = digits === '' ? NaN : Number(digits) * factor;
  if (Number.isNaN(bytes)) throw new RangeError(`"${quantity}" is no quantity that is used here`);
  return bytes;
}
