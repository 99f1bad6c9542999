import { readdir, readlink, realpath, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { volumeName } from '../../model/names.ts';
import { freshLinkSuffix, ifThere } from '../../platform/files.ts';
import type { RunCommand } from '../../platform/run-command.ts';
import { kernelPartitions } from './gpt-kernel.ts';
import { readTable, volumeType } from './gpt-table.ts';

/** Whole loop devices and devices of the device mapper are volumes of other backends. */
const partitionNode = /^\/dev\/(?!loop\d+$)[a-z][a-z0-9]*\d$/;

/** See `Backend.dropStaleLinks`. A link that cannot be proven right goes too: attaching makes it anew. */
export async function dropStalePartitionLinks(runDir: string, run: RunCommand): Promise<void> {
  const names = (await ifThere(readdir(runDir))) ?? [];
  const judge = async (name: string): Promise<void> => {
    const target = await readlink(`${runDir}/${name}`);
    const isStale = partitionNode.test(target) && !(await proves(target, name, run));
    if (isStale || name.endsWith(freshLinkSuffix)) {
      await rm(`${runDir}/${name}`, { force: true });
    }
  };
  await Promise.all(names.map(judge));
}

/** Whether the partition is the volume `name`, by the table of its disk and by what the kernel knows. */
async function proves(path: string, name: string, run: RunCommand): Promise<boolean> {
  const folder = await ifThere(realpath(`/sys/class/block/${basename(path)}`));
  const disk = `/dev/${basename(dirname(folder ?? ''))}`;
  const known = (await kernelPartitions(disk)).find((each) => each.path === path);
  const table = known && (await readTable(disk, run));
  return (
    table?.ok === true &&
    table.value.partitions.some(
      ({ number, start, bytes, type, uuid }) =>
        type === volumeType &&
        volumeName(uuid) === name &&
        number === known?.number &&
        start === known.start &&
        bytes === known.bytes,
    )
  );
}
