import { readlink, rm } from 'node:fs/promises';
import { ensureLink, ifThere } from '../platform/files.ts';
import { loopDevices, type LoopDevice } from '../platform/loop-devices.ts';
import { setTrims } from '../platform/loop-trims.ts';
import type { RunCommand } from '../platform/run-command.ts';
import type { Image } from './loop-images.ts';
import type { OwnImage } from './loop-lookup.ts';
import type { Allocation } from './loop-options.ts';
import { dataOffset } from './loop-space.ts';

export interface LoopAttachments {
  /** An image made just now: no device can hold it yet, so none is looked for. */
  expectNone(name: string): void;
  /** @returns the link that leads to the device of the image, which has all its size */
  attach(image: OwnImage): Promise<string>;
  /** Lets the device of an image that has grown show its new size; may be repeated. */
  follow(image: OwnImage): Promise<void>;
  /** Nobody can write to the image any more once this is done. @throws Error while somebody uses it */
  detachAll(image: Image | undefined, name: string): Promise<void>;
}

export interface AttachmentOptions {
  readonly runDir: string;
  readonly allocation: Allocation;
  readonly run: RunCommand;
}

/** The loop devices in front of the images of one pool, and the links that kubelet follows to them. */
export function loopAttachments(options: AttachmentOptions): LoopAttachments {
  const { runDir, allocation, run } = options;
  const devices = loopDevices(run);
  const trims = allocation === 'sparse' ? 'passed' : 'dropped';
  const fresh = new Set<string>();

  /** The devices that hold the image; all of them must show its data, and all of it. */
  async function devicesOf(image: OwnImage): Promise<readonly LoopDevice[]> {
    const attached = (await devices.list()).filter(({ file }) => file === image.file);
    const wrong = attached.find(({ offset, sizeLimit }) => offset !== dataOffset || sizeLimit > 0);
    if (wrong !== undefined) {
      throw new Error(
        `${image.path} is attached to ${wrong.path} with offset ${wrong.offset} and size limit ${wrong.sizeLimit}, ` +
          `not ${dataOffset} and none: detach it`,
      );
    }
    return attached;
  }

  /** The device that holds the image; among several, the one in use before. */
  async function deviceOf(image: OwnImage, before?: string): Promise<string> {
    const attached = fresh.delete(image.volume.name) ? [] : await devicesOf(image);
    const right = attached.find(({ path }) => path === before) ?? attached[0];
    if (right === undefined) {
      return devices.attach(image.path, dataOffset, trims);
    }
    void setTrims(right.path, trims);
    await devices.follow(right.path, image.volume.bytes);
    return right.path;
  }

  async function attach(image: OwnImage): Promise<string> {
    const link = `${runDir}/${image.volume.name}`;
    const device = await deviceOf(image, await ifThere(readlink(link)));
    await ensureLink(link, device);
    return link;
  }

  async function follow(image: OwnImage): Promise<void> {
    for (const { path } of await devicesOf(image)) {
      await devices.follow(path, image.volume.bytes);
    }
  }

  async function detachAll(image: Image | undefined, name: string): Promise<void> {
    fresh.delete(name);
    // The folder depends on who attached it, and may have ended; the name is the claim's own.
    const deleted = `/${name}.img (deleted)`;
    for (const device of await devices.list()) {
      if (device.file === image?.file || device.backFile.endsWith(deleted)) {
        await devices.detach(device);
      }
    }
    await rm(`${runDir}/${name}`, { force: true });
  }

  return { expectNone: (name) => void fresh.add(name), attach, follow, detachAll };
}
