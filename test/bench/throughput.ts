import { realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { MiB } from '../../src/model/bytes.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import type { BackendGround } from './backend-ground.ts';
import { copyTimes } from './copy.ts';
import type { Figures } from './figures.ts';
import { makeVolume, newVolumeName, removeVolume } from './volumes.ts';

const size = 128;
const rounds = 9;

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
  for (const direction of ['write', 'read'] as const) {
    const times = await copyTimes({ raw, volume, direction, mebibytes: size, rounds });
    const baseline = { name: `io.${backend}.${rawName}.${direction}`, times: times.raw };
    figures.addPair(`io.${backend}.${direction}`, times.volume, baseline);
  }
  await removeVolume(ground, name);
}
