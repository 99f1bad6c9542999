import { runCommand } from '../../src/platform/run-command.ts';

export interface Copying {
  /** What the volume was cut from, or is like it. Written over. */
  readonly raw: string;
  /** The volume's device. Written over. */
  readonly volume: string;
  readonly direction: 'write' | 'read';
  readonly mebibytes: number;
  readonly rounds: number;
}

/** How long it takes to write or read all of both, past the page cache and in turn, in milliseconds. */
export async function copyTimes({
  raw,
  volume,
  direction,
  mebibytes,
  rounds,
}: Copying): Promise<{ readonly raw: number[]; readonly volume: number[] }> {
  const times = { raw: [] as number[], volume: [] as number[] };
  // The first one finds blocks that nobody has written yet.
  for (let round = -1; round < rounds; round += 1) {
    const rawMs = await copy(direction, raw, mebibytes);
    const volumeMs = await copy(direction, volume, mebibytes);
    if (round >= 0) {
      times.raw.push(rawMs);
      times.volume.push(volumeMs);
    }
  }
  return times;
}

async function copy(direction: string, path: string, mebibytes: number): Promise<number> {
  const way =
    direction === 'write'
      ? ['if=/dev/zero', `of=${path}`, 'oflag=direct', 'conv=notrunc,fsync']
      : [`if=${path}`, 'of=/dev/null', 'iflag=direct'];
  const startedAt = performance.now();
  await runCommand('dd', [...way, 'bs=1M', `count=${mebibytes}`]);
  return performance.now() - startedAt;
}
