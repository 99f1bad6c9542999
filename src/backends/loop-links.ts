import { readdir, readlink, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { freshLinkSuffix, ifThere } from '../platform/files.ts';
import { fileIdentity, loopDevices, type LoopDevice } from '../platform/loop-devices.ts';
import { mountPointsOf } from '../platform/mount-points.ts';
import type { RunCommand } from '../platform/run-command.ts';
import { readHeader } from './loop-images.ts';
import { dataOffset } from './loop-space.ts';

/** A partition of a loop device is a volume of another backend. */
const wholeLoopDevice = /^\/dev\/loop\d+$/;

/** See `Backend.dropStaleLinks`. A link that cannot be proven right goes too: attaching makes it anew. */
export async function dropStaleLinks(runDir: string, run: RunCommand): Promise<void> {
  const names = (await ifThere(readdir(runDir))) ?? [];
  if (names.length === 0) {
    return;
  }
  const devices = await loopDevices(run).list();
  const judge = async (name: string): Promise<void> => {
    const target = await readlink(`${runDir}/${name}`);
    const device = devices.find(({ path }) => path === target);
    const isStale = wholeLoopDevice.test(target) && !(await proves(device, name));
    if (isStale || name.endsWith(freshLinkSuffix)) {
      await rm(`${runDir}/${name}`, { force: true });
    }
  };
  await Promise.all(names.map(judge));
}

/** Whether the device holds the image of the volume `name`, by what is written in the image. */
async function proves(device: LoopDevice | undefined, name: string): Promise<boolean> {
  if (device?.offset !== dataOffset) {
    return false;
  }
  const path = await pathOf(device);
  const header = path === undefined ? undefined : await readHeader(path);
  return header?.ok === true && header.value.name === name;
}

/**
 * Where the file of a device is. The kernel tells its path as the process that attached it saw it.
 * When that was a container that has ended, as the last agent's has, the path begins at what was
 * mounted there, and is looked for below every mount of the same filesystem.
 */
async function pathOf({ file, backFile }: LoopDevice): Promise<string | undefined> {
  const mounts = await mountPointsOf(file.split('/')[0] ?? '');
  for (const path of [backFile, ...mounts.map((mount) => join(mount, backFile))]) {
    const found = await stat(path, { bigint: true }).catch(() => undefined);
    if (found !== undefined && fileIdentity(found) === file) {
      return path;
    }
  }
  return undefined;
}
