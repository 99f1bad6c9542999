import { readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { MiB } from '../../src/model/bytes.ts';
import type { BackendGround } from './backend-ground.ts';
import type { Figures } from './figures.ts';
import { copyTimes, patterns, type Place } from './fio.ts';
import { makeVolume, newVolumeName, removeVolume } from './volumes.ts';

const size = 128;
const rounds = 9;
const sectorBytes = 512;

/** Writing and reading a volume, past the page cache, beside the same blocks of what it was cut from. */
export async function measureThroughput(ground: BackendGround, figures: Figures): Promise<void> {
  for (const backend of ['partition', 'device', 'loop'] as const) {
    const name = newVolumeName();
    await makeVolume(ground, backend, name, size);
    const volume = await realpath(join(ground.folder('/run/berth'), 'volumes', name));
    const raw = await (backend === 'loop' ? imageOf(ground, volume) : diskOf(volume));
    for (const pattern of patterns) {
      const times = await copyTimes({ raw, volume, pattern, mebibytes: size, rounds });
      const baseline = { name: `io.${backend}.raw.${pattern}`, times: times.raw };
      figures.addPair(`io.${backend}.${pattern}`, times.volume, baseline);
    }
    await removeVolume(ground, name);
  }
}

/** The disk that a partition is part of. */
async function diskOf(partition: string): Promise<Place> {
  const folder = await realpath(`/sys/class/block/${basename(partition)}`);
  const start = Number(await readFile(join(folder, 'start'), 'utf8'));
  return {
    path: `/dev/${basename(dirname(folder))}`,
    atMebibytes: (start * sectorBytes) / MiB,
  };
}

/** The file behind a loop device, where the agent's folders are seen from here. */
async function imageOf(ground: BackendGround, device: string): Promise<Place> {
  const sys = `/sys/block/${basename(device)}/loop`;
  const file = (await readFile(join(sys, 'backing_file'), 'utf8')).trim();
  const offset = Number(await readFile(join(sys, 'offset'), 'utf8'));
  const own = '/var/lib/berth';
  return {
    path: join(ground.folder(own), file.slice(file.indexOf(own) + own.length)),
    atMebibytes: offset / MiB,
  };
}
