import { bytes, type Bytes } from '../../src/model/bytes.ts';
import { NoSpaceError } from '../../src/model/errors.ts';
import type { BackendSurroundings } from '../../src/backends/backend.ts';
import { imageBytesFor, usableFor } from '../../src/backends/loop-space.ts';
import type { VolumeIdentity } from '../../src/model/volume.ts';
import {
  ForeignVolumeError,
  type BackendVolume,
  type StorageBackend,
} from '../../src/usecases/ports.ts';
import type { Process, World } from './world.ts';

/** An image of a pool of one node: it outlives every agent. */
export interface Image extends BackendVolume {
  /** Usable by kubelet. */
  attached: boolean;
  /** The uid of the claim whose pod has written to it. */
  writtenBy?: string;
  /** The uids of the pods that have it open. */
  readonly openFor: Set<string>;
}

/** One directory with images, and what a crash has left half made. */
export class Disk {
  readonly node: string;
  readonly pool: string;
  readonly images = new Map<string, Image>();
  readonly partial = new Set<string>();
  /** What the pool could hold at most so far. */
  limit = 0;
  /** Hears of an image just before it is destroyed. */
  onDestroy: (image: Image) => void = () => {};

  constructor(node: string, pool: string) {
    this.node = node;
    this.pool = pool;
  }

  get allocated(): number {
    return [...this.images.values()].reduce((sum, { allocatedBytes }) => sum + allocatedBytes, 0);
  }
}

interface Surroundings {
  readonly world: World;
  readonly process: Process;
  readonly disk: Disk;
  readonly limit: Bytes;
  /** How often the agent dies at a step, or the step fails. */
  readonly faults: { readonly death: number; readonly disk: number };
}

/** The backend `loop` without files: the same steps, each of which may be the last. */
export function simulatedBackend(
  { inTurn }: BackendSurroundings,
  { world, process, disk, limit, faults }: Surroundings,
): StorageBackend {
  let cleaned = false;

  function step(): Promise<void> {
    return new Promise((resolve, reject) => {
      world.soon(process, () => {
        if (world.random.chance(faults.death)) {
          world.kill(process);
        } else if (world.random.chance(faults.disk)) {
          reject(new Error('input/output error'));
        } else {
          resolve();
        }
      });
    });
  }

  async function open(): Promise<void> {
    await step();
    if (!cleaned) {
      disk.partial.clear();
      cleaned = true;
    }
  }

  function room(): { total: Bytes; allocated: Bytes; free: Bytes; largest: Bytes } {
    const free = bytes(Math.max(0, limit - disk.allocated));
    return { total: limit, allocated: bytes(disk.allocated), free, largest: free };
  }

  function own({ name, volumeUid }: VolumeIdentity): Image | undefined {
    const image = disk.images.get(name);
    if (image && image.volumeUid !== volumeUid) {
      throw new ForeignVolumeError(`${name} is of LocalVolume ${image.volumeUid}`);
    }
    return image;
  }

  return {
    usage: () =>
      inTurn(async () => {
        await open();
        return { ...room(), volumes: [...disk.images.keys()] };
      }),
    list: async () => {
      await open();
      return { volumes: [...disk.images.values()], strays: [] };
    },
    find: async (identity) => {
      await open();
      return own(identity);
    },
    ensure: (request) =>
      inTurn(async () => {
        await open();
        const there = own(request);
        if (there) {
          return there;
        }
        const { name, volumeUid } = request;
        const allocatedBytes = imageBytesFor(request.bytes);
        if (allocatedBytes > room().free) {
          throw new NoSpaceError(`${room().free} free, ${allocatedBytes} are needed`);
        }
        disk.partial.add(name);
        await step();
        disk.partial.delete(name);
        const image: Image = {
          ...{ name, volumeUid, bytes: usableFor(request.bytes), allocatedBytes },
          ...{ attached: false, openFor: new Set<string>() },
        };
        disk.images.set(name, image);
        world.say(process.name, `image ${name} made in ${disk.pool}`);
        await step();
        return image;
      }),
    grow: (request) =>
      inTurn(async () => {
        await open();
        const image = own(request);
        if (!image) {
          throw new Error(`${request.name} is not there`);
        }
        const allocatedBytes = imageBytesFor(request.bytes);
        const more = allocatedBytes - image.allocatedBytes;
        if (more <= 0) {
          return image;
        }
        if (more > room().free) {
          throw new NoSpaceError(`${room().free} free, ${more} are needed`);
        }
        await step();
        Object.assign(image, { bytes: usableFor(request.bytes), allocatedBytes });
        world.say(process.name, `image ${request.name} grown in ${disk.pool}`);
        await step();
        return image;
      }),
    adopt: async (from, to) => {
      await open();
      const image = own(to) ?? own(from);
      if (!image) {
        throw new ForeignVolumeError(`${from.name} is not there`);
      }
      const { name, volumeUid } = to;
      disk.images.delete(image.name);
      disk.images.set(name, { ...image, name, volumeUid });
      await step();
      return { ...image, name, volumeUid };
    },
    attach: async (identity) => {
      await open();
      const image = own(identity);
      if (!image) {
        throw new Error(`${identity.name} is not there`);
      }
      image.attached = true;
      await step();
      return `/run/${identity.name}`;
    },
    remove: async ({ name, volumeUid }) => {
      await open();
      const image = disk.images.get(name);
      if (image?.volumeUid !== volumeUid) {
        return undefined;
      }
      if (image.openFor.size > 0) {
        throw new Error(`${name} is in use`);
      }
      image.attached = false;
      await step();
      disk.onDestroy(image);
      disk.images.delete(name);
      world.say(process.name, `image ${name} destroyed`);
      await step();
      return 'destroyed';
    },
    removeStray: async () => undefined,
  };
}
