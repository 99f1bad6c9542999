import { hostBackends, type BackendGround, type HostBackend } from './backend-ground.ts';
import type { Figures } from './figures.ts';
import { makeVolume, newVolumeName, removeVolume } from './volumes.ts';

const warmUps = 5;
const rounds = 60;
const width = 16;
const waves = 6;

interface Times {
  readonly made: readonly number[];
  readonly removed: readonly number[];
}

/** What one agent takes to make a volume and to remove it, without anything around, per backend. */
export async function measureCreate(ground: BackendGround, figures: Figures): Promise<void> {
  const first: { one?: Times; many?: Times } = {};
  for (const backend of hostBackends) {
    const one = await oneByOne(ground, backend);
    const many = await manyAtOnce(ground, backend);
    addTimes(figures, { backend, end: '' }, one, first.one);
    addTimes(figures, { backend, end: `.parallel${width}` }, many, first.many);
    first.one ??= one;
    first.many ??= many;
  }
}

/** The first backend is what the others are compared with. */
function addTimes(
  figures: Figures,
  { backend, end }: { readonly backend: HostBackend; readonly end: string },
  times: Times,
  first: Times | undefined,
): void {
  for (const [name, of] of [
    ['create', 'made'],
    ['delete', 'removed'],
  ] as const) {
    const baseline = first && { name: `${name}.${hostBackends[0]}${end}`, times: first[of] };
    figures.addTimes(`${name}.${backend}${end}`, times[of], baseline);
  }
}

async function oneByOne(ground: BackendGround, backend: HostBackend): Promise<Times> {
  const made: number[] = [];
  const removed: number[] = [];
  for (let round = -warmUps; round < rounds; round += 1) {
    const name = newVolumeName();
    const createMs = await makeVolume(ground, backend, name);
    const deleteMs = await removeVolume(ground, name);
    if (round >= 0) {
      made.push(createMs);
      removed.push(deleteMs);
    }
  }
  return { made, removed };
}

async function manyAtOnce(ground: BackendGround, backend: HostBackend): Promise<Times> {
  const made: number[] = [];
  const removed: number[] = [];
  for (let wave = 0; wave < waves; wave += 1) {
    const names = Array.from({ length: width }, newVolumeName);
    made.push(...(await Promise.all(names.map((name) => makeVolume(ground, backend, name)))));
    removed.push(...(await Promise.all(names.map((name) => removeVolume(ground, name)))));
  }
  return { made, removed };
}
