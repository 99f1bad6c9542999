import type { Bytes } from '../model/bytes.ts';
import { ok } from '../model/result.ts';
import type { ErasePolicy, VolumeIdentity } from '../model/volume.ts';
import {
  ForeignVolumeError,
  type BackendVolume,
  type PoolInventory,
  type PoolUsage,
  type StorageBackend,
  type VolumeRequest,
} from '../usecases/ports.ts';
import type { Backend, BackendSurroundings } from './backend.ts';
import { finishAdoptions, renameImage } from './loop-adoption.ts';
import { loopAttachments } from './loop-attachments.ts';
import { eraseFile } from './loop-erase.ts';
import { growImage, growthOf, undoGrowth } from './loop-growth.ts';
import {
  createImage,
  filesystemSize,
  imagePath,
  imageSizes,
  readImage,
  removeImage,
  removePartialImages,
} from './loop-images.ts';
import { dropStaleLinks } from './loop-links.ts';
import { lookAt, lookAtAll, ownImage, recognise, type OwnImage } from './loop-lookup.ts';
import { once } from './shared/once.ts';
import { largeEnough, planAdoption } from './shared/proven.ts';
import { tooLittleFor } from './shared/too-little.ts';
import { takesNoDevices } from './shared/options.ts';
import { checkDirectory } from './shared/pool-directory.ts';
import { parseLoopOptions, type LoopOptions } from './loop-options.ts';
import { dataOffset, imageBytesFor, measure, usableFor } from './loop-space.ts';

/** Volumes are files of a directory, each behind a loop device: the kernel enforces their size. */
export const loop: Backend = {
  parse: (source, devices) => {
    const options = devices ? takesNoDevices('loop') : parseLoopOptions(source);
    return options.ok
      ? ok({
          source: `directory ${options.value.directory}`,
          gives: 'device',
          directory: options.value.directory,
          allocatedFor: imageBytesFor,
          open: (around) => openLoopPool(options.value, around),
        })
      : options;
  },
  dropStaleLinks,
};

function openLoopPool(options: LoopOptions, around: BackendSurroundings): StorageBackend {
  const { directory, limit, allocation } = options;
  // Measuring and making wait for each other, so that two volumes never get the same room.
  const { pool, runDir, run, now, inTurn } = around;
  const place = { directory, pool };
  const attachments = loopAttachments({ runDir, allocation, run });
  const partialsRemoved = once(() => removePartialImages(directory));
  const adoptionsFinished = once(() => finishAdoptions(place));

  async function openDirectory(): Promise<void> {
    await checkDirectory('loop', directory, around.hasVolumes());
    // Before the first image is made: what is half made then was left by a crash.
    await partialsRemoved.done();
    await adoptionsFinished.done();
  }

  async function measureNow(): Promise<PoolUsage> {
    const images = await imageSizes(directory);
    const room = measure(limit, images, await filesystemSize(directory));
    return { ...room, volumes: images.map(({ name }) => name) };
  }

  async function needFree(needed: Bytes): Promise<void> {
    const room = await measureNow();
    if (needed > room.free) {
      throw tooLittleFor(needed, room, `pool ${pool} in ${directory}`);
    }
  }

  async function list(): Promise<PoolInventory> {
    await openDirectory();
    return lookAtAll(place);
  }

  async function ensure(request: VolumeRequest, signal: AbortSignal): Promise<BackendVolume> {
    await openDirectory();
    const existing = await ownImage(place, request);
    if (existing !== undefined) {
      return largeEnough(existing, request).volume;
    }
    const { name, volumeUid } = request;
    const bytes = usableFor(request.bytes);
    const allocatedBytes = imageBytesFor(bytes);
    await needFree(allocatedBytes);
    const createdAt = new Date(now()).toISOString();
    const header = { name, volumeUid, pool, bytes, createdAt };
    await createImage({ directory, header, allocation, run, signal });
    attachments.expectNone(name);
    return { name, volumeUid, bytes, allocatedBytes };
  }

  async function imageOf(identity: VolumeIdentity): Promise<OwnImage> {
    await openDirectory();
    const image = await ownImage(place, identity);
    if (image !== undefined) {
      return image;
    }
    throw new Error(`${imagePath(directory, identity.name)} is not there`);
  }

  async function grow(request: VolumeRequest, signal: AbortSignal): Promise<BackendVolume> {
    const before = await imageOf(request);
    if (before.volume.bytes < request.bytes) {
      await undoGrowth(before);
      await needFree(growthOf(before, request.bytes));
      await growImage(before, request.bytes, { allocation, run, signal });
    }
    const image = await imageOf(request);
    await attachments.follow(image);
    return image.volume;
  }

  async function attach(identity: VolumeIdentity): Promise<string> {
    const image = await imageOf(identity);
    await undoGrowth(image);
    return attachments.attach(image);
  }

  async function adopt(from: VolumeIdentity, to: VolumeRequest): Promise<BackendVolume> {
    await openDirectory();
    const heir = await recognise(place, to.name);
    const own = (identity: VolumeIdentity) => ownImage(place, identity);
    const { isDone, found: image } = await planAdoption(heir, own, { from, to });
    if (!isDone) {
      await attachments.detachAll(image, from.name);
      try {
        await renameImage(place, image, to);
      } catch (error) {
        // Its header may be written: whoever looks next puts its name right first.
        adoptionsFinished.again();
        throw error;
      }
    }
    const { name, volumeUid } = to;
    return { ...image.volume, name, volumeUid };
  }

  async function remove(
    { name, volumeUid }: VolumeIdentity,
    erase: ErasePolicy,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    await openDirectory();
    const image = await recognise(place, name);
    if (image !== undefined && image.volume.volumeUid !== volumeUid) {
      return undefined;
    }
    await attachments.detachAll(image, name);
    if (image === undefined) {
      return undefined;
    }
    const part = { path: image.path, offset: dataOffset, size: image.size };
    const done = await eraseFile(part, erase, run, signal);
    await removeImage(directory, name);
    return done;
  }

  async function removeStray(
    name: string,
    erase: ErasePolicy,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    await openDirectory();
    const image = await readImage(directory, name);
    const found = await lookAt(place, name);
    if (found !== undefined && 'volume' in found) {
      const { path, volume } = found;
      throw new ForeignVolumeError(`${path} is a volume, with uid ${volume.volumeUid}`);
    }
    if (image?.kind === 'directory') {
      throw new ForeignVolumeError(`${image.path} is a directory: it has to be removed by hand`);
    }
    await attachments.detachAll(image, name);
    if (image === undefined) {
      return undefined;
    }
    const part = { path: image.path, offset: 0, size: image.size };
    const done =
      image.kind === 'file' ? await eraseFile(part, erase, run, signal) : 'it was no regular file';
    await removeImage(directory, name);
    return done;
  }

  return {
    list,
    attach,
    remove,
    removeStray,
    adopt: (from, to) => inTurn(() => adopt(from, to)),
    usage: () =>
      inTurn(async () => {
        await openDirectory();
        return measureNow();
      }),
    find: async (identity) => {
      await openDirectory();
      return (await ownImage(place, identity))?.volume;
    },
    ensure: (request, signal) => inTurn(() => ensure(request, signal)),
    grow: (request, signal) => inTurn(() => grow(request, signal)),
  };
}
