import { readlink, rm } from 'node:fs/promises';
import { formatBytes } from '../model/bytes.ts';
import { NoSpaceError } from '../model/errors.ts';
import { ok } from '../model/result.ts';
import { ensureLink, ifThere } from '../platform/files.ts';
import { loopDevices, type LoopDevice } from '../platform/loop-devices.ts';
import type { ErasePolicy } from '../model/volume.ts';
import {
  ForeignVolumeError,
  type BackendVolume,
  type PoolInventory,
  type PoolUsage,
  type StorageBackend,
  type VolumeIdentity,
  type VolumeRequest,
} from '../usecases/ports.ts';
import type { Backend, BackendSurroundings } from './backend.ts';
import { checkDirectory } from './loop-directory.ts';
import {
  createImage,
  filesystemSize,
  imageNames,
  imagePath,
  imageSizes,
  removeImage,
  removePartialImages,
  zeroImage,
} from './loop-images.ts';
import { dropStaleLinks } from './loop-links.ts';
import { lookAt, ownImage, recognise, type OwnImage } from './loop-lookup.ts';
import { parseLoopOptions, type LoopOptions } from './loop-options.ts';
import { dataOffset, imageBytesFor, measure, usableFor } from './loop-space.ts';

/** Volumes are files of a directory, each behind a loop device: the kernel enforces their size. */
export const loop: Backend = {
  parse: (source) => {
    const options = parseLoopOptions(source);
    return options.ok
      ? ok({
          source: `directory ${options.value.directory}`,
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
  const devices = loopDevices(run);
  let partialsRemoved: Promise<void> | undefined;
  /** Images made just now: no device can hold them yet, so none is looked for. */
  const fresh = new Set<string>();

  async function openDirectory(): Promise<void> {
    await checkDirectory(directory, around.hasVolumes());
    // Once, and before the first image is made: what is half made then was left by a crash.
    partialsRemoved ??= removePartialImages(directory);
    await partialsRemoved.catch((error: unknown) => {
      partialsRemoved = undefined;
      throw error;
    });
  }

  async function measureNow(): Promise<PoolUsage> {
    const images = await imageSizes(directory);
    const room = measure(limit, images, await filesystemSize(directory));
    return { ...room, volumes: images.map(({ name }) => name) };
  }

  async function list(): Promise<PoolInventory> {
    await openDirectory();
    const names = await imageNames(directory);
    const all = (await Promise.all(names.map((name) => lookAt(place, name)))).filter(
      (each) => each !== undefined,
    );
    return {
      volumes: all.filter((each) => 'volume' in each).map(({ volume }) => volume),
      strays: all.filter((each) => 'reason' in each),
    };
  }

  async function ensure(request: VolumeRequest, signal: AbortSignal): Promise<BackendVolume> {
    await openDirectory();
    const existing = (await ownImage(place, request))?.volume;
    if (existing !== undefined) {
      if (existing.bytes < request.bytes) {
        throw new ForeignVolumeError(
          `${request.name} has ${existing.bytes} bytes, ${request.bytes} are asked: volumes do not grow`,
        );
      }
      return existing;
    }
    const { name, volumeUid } = request;
    const bytes = usableFor(request.bytes);
    const allocatedBytes = imageBytesFor(bytes);
    const { free, total } = await measureNow();
    if (allocatedBytes > free) {
      throw new NoSpaceError(
        `pool ${pool} in ${directory} has ${formatBytes(free)} free of ${formatBytes(total)}, ` +
          `${formatBytes(allocatedBytes)} are needed (${allocatedBytes - free} bytes more)`,
      );
    }
    const createdAt = new Date(now()).toISOString();
    const header = { name, volumeUid, pool, bytes, createdAt };
    await createImage({ directory, header, allocation, run, signal });
    fresh.add(name);
    return { name, volumeUid, bytes, allocatedBytes };
  }

  /** The device that holds the image; among several, the one in use before. */
  async function deviceOf(image: OwnImage, part: Part, before?: string): Promise<string> {
    const isFresh = fresh.delete(image.volume.name);
    const known = isFresh ? [] : await devices.list();
    const attached = known.filter(({ file }) => file === image.file);
    const wrong = attached.find((each) => !covers(each, part));
    if (wrong !== undefined) {
      throw new Error(
        `${image.path} is attached to ${wrong.path} with offset ${wrong.offset} and size ${wrong.sizeLimit}, ` +
          `not ${part.offset} and ${part.bytes}: detach it`,
      );
    }
    const right = attached.find(({ path }) => path === before) ?? attached[0];
    return right?.path ?? devices.attach(image.path, part);
  }

  async function attach(identity: VolumeIdentity): Promise<string> {
    await openDirectory();
    const image = await ownImage(place, identity);
    if (image === undefined) {
      throw new Error(`${imagePath(directory, identity.name)} is not there`);
    }
    const link = `${runDir}/${identity.name}`;
    const part = { offset: dataOffset, bytes: image.volume.bytes };
    const device = await deviceOf(image, part, await ifThere(readlink(link)));
    // Not waited for: changing a queue takes the kernel some 20 ms, and nobody formats the volume
    // before somebody else has read that it is ready.
    void devices.passTrims(device, allocation === 'sparse');
    await ensureLink(link, device);
    return link;
  }

  /** Nobody can write any more once this is done. */
  async function detachAll(image: OwnImage | undefined, name: string): Promise<void> {
    // The folder depends on who attached it, and may have ended; the name is the claim's own.
    const deleted = `/${name}.img (deleted)`;
    for (const device of await devices.list()) {
      if (device.file === image?.file || device.backFile.endsWith(deleted)) {
        await devices.detach(device);
      }
    }
    await rm(`${runDir}/${name}`, { force: true });
  }

  async function remove(
    { name, volumeUid }: VolumeIdentity,
    erase: ErasePolicy,
    signal: AbortSignal,
  ): Promise<void> {
    await openDirectory();
    const image = await recognise(place, name);
    if (image !== undefined && image.volume.volumeUid !== volumeUid) {
      return;
    }
    await detachAll(image, name);
    if (image === undefined) {
      return;
    }
    // `discard` needs no more than the unlink: the filesystem gives its blocks to nobody before
    // they read as zeros, and trims them on the medium where it is mounted so.
    if (erase === 'zero') {
      await zeroImage(image.path, signal);
    }
    await removeImage(directory, name);
  }

  return {
    list,
    attach,
    remove,
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
  };
}

interface Part {
  readonly offset: number;
  readonly bytes: number;
}

function covers(device: LoopDevice, part: Part): boolean {
  return device.offset === part.offset && device.sizeLimit === part.bytes;
}
