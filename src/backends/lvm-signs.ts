import { readdir, readFile } from 'node:fs/promises';
import { ifThere } from '../platform/files.ts';
import type { LvmOptions } from './lvm-options.ts';
import { thinPoolName } from './lvm-thin.ts';

/**
 * What changes whenever the numbers of a pool may, beside the devices that the kernel has: how much
 * has been written to and discarded from its thin pool. Starts no program.
 */
export async function signsOfGroup({ layout }: LvmOptions, groupName: string): Promise<string> {
  if (layout.type !== 'thin') {
    return '';
  }
  const name = `${mapped(groupName)}-${mapped(thinPoolName)}_tdata\n`;
  const known = await readdir('/sys/block');
  for (const kname of known.filter((each) => each.startsWith('dm-'))) {
    if ((await ifThere(readFile(`/sys/block/${kname}/dm/name`, 'utf8'))) === name) {
      return writtenAndDiscarded(
        (await ifThere(readFile(`/sys/block/${kname}/stat`, 'utf8'))) ?? '',
      );
    }
  }
  return '';
}

/** Of the kernel's Documentation/block/stat.rst: the sectors of both, from the fields 7 and 14. */
function writtenAndDiscarded(stat: string): string {
  const fields = stat.trim().split(/\s+/);
  return `${fields[6]} ${fields[13]}`;
}

/** A name as it is part of one of device mapper's (lvm(8), "VALID NAMES"). */
function mapped(name: string): string {
  return name.replaceAll('-', '--');
}
