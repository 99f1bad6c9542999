import { readdir, readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { describeError } from '../../model/errors.ts';
import { ifThere } from '../../platform/files.ts';
import { refuseIfHeld } from '../../platform/held.ts';
import { CommandError, type RunCommand } from '../../platform/run-command.ts';
import { sleep } from '../../platform/sleep.ts';
import type { Partition } from './gpt-table.ts';
import type { Region } from './zeros.ts';

/** A partition as the kernel knows it, whatever stands in the table. */
export interface KernelPartition extends Region {
  /** Such as `/dev/sdb3`. */
  readonly path: string;
  readonly number: number;
}

/** What sysfs counts in, and what partitions are told to the kernel in. */
const sectorBytes = 512;

/** @param disk - the path of a whole disk */
export async function kernelPartitions(disk: string): Promise<readonly KernelPartition[]> {
  const folder = `/sys/class/block/${basename(disk)}`;
  const names = (await ifThere(readdir(folder))) ?? [];
  const found = await Promise.all(
    names
      .filter((name) => name.startsWith(basename(disk)))
      .map((name) => readPartition(`${folder}/${name}`, `/dev/${name}`)),
  );
  return found.filter((each) => each !== undefined);
}

async function readPartition(folder: string, path: string): Promise<KernelPartition | undefined> {
  const facts = await ifThere(
    Promise.all(
      ['partition', 'start', 'size'].map(async (name) =>
        Number(await readFile(`${folder}/${name}`, 'utf8')),
      ),
    ),
  );
  const [number = 0, start = 0, size = 0] = facts ?? [];
  return facts && { path, number, start: start * sectorBytes, bytes: size * sectorBytes };
}

/**
 * Makes sure that the kernel knows a partition exactly as its table has it. Kernels that read
 * tables themselves know it already; what is known otherwise was left by an earlier table.
 *
 * @returns its path
 * @throws Error while somebody uses what is in the way
 */
export async function tellKernel(
  disk: string,
  partition: Partition,
  run: RunCommand,
): Promise<string> {
  const known = await kernelPartitions(disk);
  const isSame = (each: KernelPartition): boolean =>
    each.number === partition.number &&
    each.start === partition.start &&
    each.bytes === partition.bytes;
  const right = known.find(isSame);
  if (right !== undefined) {
    return right.path;
  }
  const inTheWay = known.filter(
    (each) => each.number === partition.number || overlap(each, partition),
  );
  for (const each of inTheWay) {
    await forget(disk, each, run);
  }
  const where = [partition.number, partition.start / sectorBytes, partition.bytes / sectorBytes];
  await run('addpart', [disk, ...where.map(String)]);
  const added = (await kernelPartitions(disk)).find(isSame);
  if (added === undefined) {
    throw new Error(`the kernel does not show partition ${partition.number} of ${disk}`);
  }
  await untilThere(added.path);
  return added.path;
}

function overlap(a: Region, b: Region): boolean {
  return a.start < b.start + b.bytes && b.start < a.start + a.bytes;
}

/**
 * Makes sure that the kernel knows no partition in a region: nobody can write there any more.
 *
 * @throws Error while somebody has one open
 */
export async function clearKernel(disk: string, region: Region, run: RunCommand): Promise<void> {
  for (const each of await kernelPartitions(disk)) {
    if (overlap(each, region)) {
      await forget(disk, each, run);
    }
  }
}

const looks = 25;
const lookMs = 20;

/** The kernel refuses while anybody has it open. udev does so for a moment; others last. */
async function forget(disk: string, { path, number }: KernelPartition, run: RunCommand) {
  await refuseIfHeld(path);
  for (let look = 1; ; look += 1) {
    try {
      await run('delpart', [disk, String(number)]);
      return;
    } catch (error) {
      const isBusy = error instanceof CommandError && error.stderr.includes('busy');
      if (!isBusy) {
        throw error;
      }
      if (look >= looks) {
        throw new Error(`${path} is still open somewhere: ${describeError(error)}`, {
          cause: error,
        });
      }
      await sleep(lookMs);
    }
  }
}

/** udev, or the kernel itself, makes the node of a partition a moment after it is known. */
async function untilThere(path: string): Promise<void> {
  for (let look = 0; look < looks; look += 1) {
    if ((await ifThere(stat(path))) !== undefined) {
      return;
    }
    await sleep(lookMs);
  }
  throw new Error(`${path} does not appear: is /dev of the node mounted?`);
}
