import { MiB } from '../../src/model/bytes.ts';
import { runCommand } from '../../src/platform/run-command.ts';

export interface Place {
  readonly path: string;
  readonly atMebibytes: number;
}

export interface Copying {
  /** What the volume was cut from, and where in it. Written over. */
  readonly raw: Place;
  /** The volume's device. Written over. */
  readonly volume: string;
  readonly pattern: Pattern;
  /** How much of both is used. */
  readonly mebibytes: number;
  readonly rounds: number;
}

/** The words of fio for what is done: whole blocks of 1 MiB one after another, or of 4 KiB anywhere. */
export const patterns = ['write', 'read', 'randwrite', 'randread'] as const;
export type Pattern = (typeof patterns)[number];

/** As deep a queue as databases and log pipelines keep. */
const shapes = {
  write: { bs: '1m', iodepth: 8 },
  read: { bs: '1m', iodepth: 8 },
  randwrite: { bs: '4k', iodepth: 32 },
  randread: { bs: '4k', iodepth: 32 },
} as const;

const sampleSeconds = 1;

/** Milliseconds per MiB on both, past the page cache and in turn. */
export async function copyTimes({
  raw,
  volume,
  pattern,
  mebibytes,
  rounds,
}: Copying): Promise<{ readonly raw: number[]; readonly volume: number[] }> {
  const times = { raw: [] as number[], volume: [] as number[] };
  await fillBlocks(raw, mebibytes);
  for (let round = 0; round < rounds; round += 1) {
    times.raw.push(await sample(pattern, raw, mebibytes));
    times.volume.push(await sample(pattern, { path: volume, atMebibytes: 0 }, mebibytes));
  }
  return times;
}

/** Blocks that nobody has written yet cost whoever comes first more. */
async function fillBlocks({ path, atMebibytes }: Place, mebibytes: number): Promise<void> {
  const to = [`of=${path}`, `seek=${atMebibytes}`, 'oflag=direct', 'conv=notrunc,fsync'];
  await runCommand('dd', ['if=/dev/zero', ...to, 'bs=1M', `count=${mebibytes}`]);
}

async function sample(pattern: Pattern, place: Place, mebibytes: number): Promise<number> {
  const { bs, iodepth } = shapes[pattern];
  const options = {
    ...{ name: 'sample', filename: place.path, offset: `${place.atMebibytes}m` },
    ...{ size: `${mebibytes}m`, rw: pattern, bs, iodepth, ioengine: 'libaio', direct: 1 },
    ...{ time_based: 1, runtime: sampleSeconds, 'output-format': 'json' },
  };
  const args = Object.entries(options).map(([option, value]) => `--${option}=${value}`);
  const { jobs } = JSON.parse(await runCommand('fio', args)) as { jobs: Record<string, Moved>[] };
  const moved = jobs[0]?.[pattern.endsWith('write') ? 'write' : 'read'];
  if (moved === undefined || moved.bw_bytes === 0) {
    throw new Error(`fio moved nothing: ${pattern} of ${place.path}`);
  }
  return (1000 * MiB) / moved.bw_bytes;
}

/** fio(1), "JSON output": of one direction of a job. */
interface Moved {
  /** Bytes per second. */
  readonly bw_bytes: number;
}
