import { readdir, readFile } from 'node:fs/promises';
import { ifThere } from '../platform/files.ts';
import { wayDown } from '../platform/way-down.ts';
import type { LvmOptions } from './lvm-options.ts';
import { thinPoolName } from './lvm-thin.ts';

/**
 * What changes whenever the numbers of a pool may, beside the devices that the kernel has: how much
 * has been written to and discarded from its thin pool. Starts no program.
 *
 * @throws Error while one of its volumes leads to a disk that is gone: nothing tells when its pod has ended
 */
export async function signsOfGroup({ layout }: LvmOptions, groupName: string): Promise<string> {
  const prefix = `${mapped(groupName)}-`;
  const thinData = `${prefix}${mapped(thinPoolName)}_tdata`;
  let signs = '';
  for (const kname of (await readdir('/sys/block')).filter((each) => each.startsWith('dm-'))) {
    const read = async (file: string): Promise<string> =>
      (await ifThere(readFile(`/sys/block/${kname}/${file}`, 'utf8'))) ?? '';
    const name = (await read('dm/name')).trim();
    // A hyphen in the name of another group is two here.
    if (name.startsWith(prefix) && !name.startsWith(`${prefix}-`)) {
      await refuseLost(kname);
    }
    if (layout.type === 'thin' && name === thinData) {
      signs = writtenAndDiscarded(await read('stat'));
    }
  }
  return signs;
}

async function refuseLost(kname: string): Promise<void> {
  const { lost } = await wayDown(kname);
  if (lost.length > 0) {
    throw new Error(`${kname} leads to ${lost.join(', ')}, which is gone`);
  }
}

/** Of the kernel's Documentation/block/stat.rst: the sectors of both, from the fields 7 and 14. */
function writtenAndDiscarded(stat: string): string {
  const fields = stat.trim().split(/\s+/);
  return `${fields[6]} ${fields[13]}`;
}

/** The device of an active volume. */
export function mappedPath(group: string, volume: string): string {
  return `/dev/mapper/${mapped(group)}-${mapped(volume)}`;
}

/** A name as it is part of one of device mapper's (lvm(8), "VALID NAMES"). */
function mapped(name: string): string {
  return name.replaceAll('-', '--');
}
