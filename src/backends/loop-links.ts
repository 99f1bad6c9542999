import { readdir, readlink, rm, stat } from 'node:fs/promises';
import { freshLinkSuffix, ifThere } from '../platform/files.ts';
import { fileIdentity, loopDevices, type LoopDevice } from '../platform/loop-devices.ts';
import type { RunCommand } from '../platform/run-command.ts';
import { readHeader } from './loop-images.ts';
import { dataOffset } from './loop-space.ts';

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
    const isStale = target.startsWith('/dev/loop') && !(await proves(device, name));
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
  const file = await ifThere(stat(device.backFile, { bigint: true }));
  if (file === undefined || fileIdentity(file) !== device.file) {
    return false;
  }
  const header = await readHeader(device.backFile);
  return header.ok && header.value.name === name;
}
