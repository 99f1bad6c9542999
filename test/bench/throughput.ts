import { realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { MiB } from '../../src/model/bytes.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import type { BackendGround } from './backend-ground.ts';
import type { Figures } from './figures.ts';
import { makeVolume, newVolumeName, removeVolume } from './volumes.ts';

const size = 512;
const rounds = 11;

/** Writing and reading all of a volume, past the page cache, beside the same of what it was cut from. */
export async function measureThroughput(ground: BackendGround, figures: Figures): Promise<void> {
  const disk = await ground.disks.add(size);
  for (const backend of ['partition', 'device'] as const) {
    await compare(ground, figures, { backend, raw: disk, rawName: 'disk' });
  }
  const file = join(ground.folder('/var/lib/berth'), 'plain-file');
  await runCommand('fallocate', ['--length', String(size * MiB), file]);
  await compare(ground, figures, { backend: 'loop', raw: file, rawName: 'file' });
  await rm(file);
}

interface Compared {
  readonly backend: 'loop' | 'partition' | 'device';
  readonly raw: string;
  readonly rawName: string;
}

async function compare(
  ground: BackendGround,
  figures: Figures,
  { backend, raw, rawName }: Compared,
): Promise<void> {
  const name = newVolumeName();
  await makeVolume(ground, backend, name, size);
  const volume = await realpath(join(ground.folder('/run/berth'), 'volumes', name));
  const times = { write: pair(), read: pair() };
  for (let round = -1; round < rounds; round += 1) {
    for (const [direction, of] of Object.entries(times)) {
      const [rawMs, volumeMs] = [await copy(direction, raw), await copy(direction, volume)];
      // The first one finds blocks that nobody has written yet.
      if (round >= 0) {
        of.raw.push(rawMs);
        of.volume.push(volumeMs);
      }
    }
  }
  for (const [direction, of] of Object.entries(times)) {
    const baseline = { name: `io.${backend}.${rawName}.${direction}`, times: of.raw };
    figures.addPair(`io.${backend}.${direction}`, of.volume, baseline);
  }
  await removeVolume(ground, name);
}

const pair = (): { raw: number[]; volume: number[] } => ({ raw: [], volume: [] });

async function copy(direction: string, path: string): Promise<number> {
  const way =
    direction === 'write'
      ? ['if=/dev/zero', `of=${path}`, 'oflag=direct', 'conv=notrunc,fsync']
      : [`if=${path}`, 'of=/dev/null', 'iflag=direct'];
  const startedAt = performance.now();
  await runCommand('dd', [...way, 'bs=1M', `count=${size}`]);
  return performance.now() - startedAt;
}
