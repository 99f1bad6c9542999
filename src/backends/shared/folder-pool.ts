import { rm } from 'node:fs/promises';
import { bytes, formatBytes, minusBytes, type Bytes } from '../../model/bytes.ts';
import type { ErasePolicy, VolumeIdentity } from '../../model/volume.ts';
import { ensureLink } from '../../platform/files.ts';
import {
  ForeignVolumeError,
  type BackendVolume,
  type PoolInventory,
  type PoolUsage,
  type StorageBackend,
  type VolumeRequest,
} from '../../usecases/ports.ts';
import type { BackendSurroundings } from '../backend.ts';
import { finishAdoptions, renameFolder } from './folder-adoption.ts';
import type { FolderCut } from './folder-cut.ts';
import { refuseIfMounted } from './folder-links.ts';
import { allocatedFor, lookAt, ownFolder, recognise, type Folder } from './folder-lookup.ts';
import { checkPlace, dataPath, folderPath, recordPath, writeMark } from './folder-place.ts';
import { encodeRecord, replaceFile } from './folder-record.ts';
import { finishRemoval, makeFolder, removeFolder, removeLeftovers } from './folder-removal.ts';
import { filesystemSize, measureFolders } from './folder-space.ts';
import { lookAtAll, removableStray, toStray } from './folder-strays.ts';
import { once } from './once.ts';
import { largeEnough, planAdoption } from './proven.ts';
import { tooLittleFor } from './too-little.ts';

export interface FolderPoolOptions {
  readonly backend: string;
  readonly directory: string;
  /** All that volumes may occupy together; `Infinity` where only the filesystem limits it. */
  readonly limit: number;
}

/**
 * A pool whose volumes are directories: one folder each, with a record of what it is beside the
 * data, which is all that a pod sees.
 */
export function openFolderPool(
  options: FolderPoolOptions,
  cut: FolderCut,
  around: BackendSurroundings,
): StorageBackend {
  const { backend, directory, limit } = options;
  // Measuring and making wait for each other, so that two volumes never get the same room.
  const { pool, runDir, run, now, inTurn } = around;
  const place = { backend, directory, pool, whyNotData: cut.whyNotData };
  const ground = { place, cut, run };
  let stuck: readonly string[] = [];
  // In turn, so that nobody is making a folder meanwhile: what is half made was left by a crash.
  const prepared = once(() =>
    inTurn(async () => {
      stuck = await removeLeftovers(ground);
      await finishAdoptions(place);
    }),
  );

  async function openPool(signal: AbortSignal): Promise<void> {
    const isMarked = await checkPlace(place, around.hasVolumes());
    await cut.check(signal);
    if (!isMarked) {
      await inTurn(() => writeMark(place));
    }
    await prepared.done();
  }

  const whenOpen =
    <A extends unknown[], T>(work: (...args: A) => Promise<T>, signal: AbortSignal) =>
    async (...args: A): Promise<T> => {
      await openPool(signal);
      return work(...args);
    };

  async function measureNow(signal: AbortSignal): Promise<PoolUsage> {
    const { folders, strays } = await lookAtAll(place, run);
    const { usedBy, warnings } = await cut.measure(folders, signal);
    const sizes = [
      ...folders.map((each) => ({ size: each.volume.allocatedBytes, used: usedBy(each) })),
      ...strays.map(({ bytes: size }) => ({ size, used: size })),
    ];
    const room = measureFolders(limit, sizes, await filesystemSize(directory));
    const volumes = [...folders.map(({ volume }) => volume), ...strays].map(({ name }) => name);
    const said = [...warnings, ...stuck];
    return { ...room, volumes, ...(said.length > 0 ? { warnings: said } : {}) };
  }

  async function needFree(size: Bytes, signal: AbortSignal): Promise<void> {
    const room = await measureNow(signal);
    if (size > room.free) {
      throw tooLittleFor(size, room, `pool ${pool} in ${directory}`);
    }
  }

  async function ensure(request: VolumeRequest, signal: AbortSignal): Promise<BackendVolume> {
    const existing = await ownFolder(place, request);
    if (existing !== undefined) {
      return largeEnough(existing, request).volume;
    }
    const { name, volumeUid } = request;
    const size = allocatedFor(request.bytes);
    await needFree(size, signal);
    const createdAt = new Date(now()).toISOString();
    await makeFolder(ground, { name, volumeUid, pool, bytes: size, createdAt }, signal);
    return { name, volumeUid, bytes: size, allocatedBytes: size };
  }

  async function grow(request: VolumeRequest, signal: AbortSignal): Promise<BackendVolume> {
    const { path, record, volume } = await folderOf(request);
    const size = allocatedFor(request.bytes);
    if (size > volume.bytes) {
      await needFree(minusBytes(size, volume.bytes), signal);
      await replaceFile(recordPath(path), encodeRecord({ ...record, bytes: size }));
    }
    // Whatever limit there is, this sets the one that the record asks for.
    await measureNow(signal);
    return (await folderOf(request)).volume;
  }

  async function folderOf(identity: VolumeIdentity): Promise<Folder> {
    const folder = await ownFolder(place, identity);
    if (folder === undefined) {
      throw new Error(`${folderPath(place, identity.name)} is not there`);
    }
    return folder;
  }

  async function attach(identity: VolumeIdentity): Promise<string> {
    const folder = await folderOf(identity);
    const link = `${runDir}/${identity.name}`;
    await ensureLink(link, dataPath(folder.path));
    return link;
  }

  /** Nobody reaches the data any more once this is done. @throws Error while somebody uses it */
  async function detach(name: string): Promise<void> {
    await refuseIfMounted(name);
    await rm(`${runDir}/${name}`, { force: true });
    // Whoever followed the link just before it went has mounted the data by now.
    await refuseIfMounted(name);
  }

  async function adopt(from: VolumeIdentity, to: VolumeRequest): Promise<BackendVolume> {
    const heir = await recognise(place, to.name);
    const own = (identity: VolumeIdentity) => ownFolder(place, identity);
    const { isDone, found: folder } = await planAdoption(heir, own, { from, to });
    if (!isDone) {
      await detach(from.name);
      try {
        await renameFolder(place, folder, to);
      } catch (error) {
        // Its record may be written: whoever looks next puts its name right first.
        prepared.again();
        throw error;
      }
    }
    const { name, volumeUid } = to;
    return { ...folder.volume, name, volumeUid };
  }

  async function remove(
    { name, volumeUid }: VolumeIdentity,
    erase: ErasePolicy,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const folder = await recognise(place, name);
    if (folder !== undefined && folder.volume.volumeUid !== volumeUid) {
      return undefined;
    }
    await detach(name);
    if (folder === undefined) {
      await finishRemoval(ground, name);
      return undefined;
    }
    const size = formatBytes(folder.volume.bytes);
    const said = await cut.erase(dataPath(folder.path), erase, size, signal);
    await removeFolder(ground, name);
    return said;
  }

  async function removeStray(
    name: string,
    erase: ErasePolicy,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const found = await lookAt(place, name);
    if (found !== undefined && 'volume' in found) {
      const { path, volume } = found;
      throw new ForeignVolumeError(`${path} is a volume, with uid ${volume.volumeUid}`);
    }
    if (found === undefined) {
      await finishRemoval(ground, name);
      return undefined;
    }
    await removableStray(place, found);
    await detach(name);
    const { bytes: size } = await toStray(found, run);
    const said = await cut.erase(dataPath(found.path), erase, formatBytes(bytes(size)), signal);
    await removeFolder(ground, name);
    return said;
  }

  async function list(): Promise<PoolInventory> {
    const { folders, strays } = await lookAtAll(place, run);
    return { volumes: folders.map(({ volume }) => volume), strays };
  }

  return {
    list: (signal) => whenOpen(list, signal)(),
    attach: (identity, signal) => whenOpen(attach, signal)(identity),
    remove: (identity, erase, signal) => whenOpen(remove, signal)(identity, erase, signal),
    removeStray: (name, erase, signal) => whenOpen(removeStray, signal)(name, erase, signal),
    adopt: (from, to, signal) => whenOpen(() => inTurn(() => adopt(from, to)), signal)(),
    usage: (signal) => {
      if (stuck.length > 0) {
        prepared.again();
      }
      return whenOpen(() => inTurn(() => measureNow(signal)), signal)();
    },
    find: (identity, signal) =>
      whenOpen(async () => (await ownFolder(place, identity))?.volume, signal)(),
    grow: (request, signal) => whenOpen(() => inTurn(() => grow(request, signal)), signal)(),
    ensure: (request, signal) => whenOpen(() => inTurn(() => ensure(request, signal)), signal)(),
  };
}
