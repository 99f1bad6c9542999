import { describeError } from '../../model/errors.ts';
import type { Disk } from '../../model/disk.ts';
import { sharedLook } from '../../usecases/one-at-a-time.ts';
import type { DiskInPool } from '../../usecases/ports.ts';
import type { BackendSurroundings } from '../backend.ts';
import { judgeDisk, type JudgedDisk, type OwnDisk } from './gpt-disks.ts';
import { clearKernel } from './gpt-kernel.ts';
import { finishMark, markDisk, unmarkDisk } from './gpt-mark.ts';
import { tableReader } from './gpt-reader.ts';
import { partitionsOn, type Partitions } from './gpt-volumes.ts';
import { refuseIfHeld } from '../../platform/held.ts';

/** What a pool sees on the disks of its node. */
export interface PoolLook {
  readonly own: readonly OwnDisk[];
  readonly partitions: Partitions;
  /** Why volumes may be there although nobody can see them; nothing where all could be read. */
  readonly blind: string | undefined;
  readonly disks: readonly DiskInPool[];
}

export interface GptDisks {
  /** Changes nothing on any disk. */
  look(): Promise<PoolLook>;
  /**
   * Takes the blank disks that are selected, lets go of empty ones that no longer are, and
   * finishes what was cut off. To be called in the pool's row.
   */
  settle(signal: AbortSignal): Promise<PoolLook>;
}

type Surroundings = Pick<BackendSurroundings, 'pool' | 'run' | 'disks'>;
/** What could not be done with a disk, by its path. */
type Failures = ReadonlyMap<string, string>;

/** The disks of one pool that keeps its volumes in partitions. */
export function gptDisks({ pool, run, disks }: Surroundings): GptDisks {
  const known = new Map<string, Disk>();
  const never = new AbortController().signal;
  const readTable = tableReader(run);

  const judge = sharedLook(async () => {
    const all = await disks.list(never);
    const judged = await Promise.all(all.map((each) => judgeDisk(each, pool, readTable)));
    return judged.filter((each) => each !== undefined);
  });

  function toLook(judged: readonly JudgedDisk[], failures: Failures): PoolLook {
    const own = judged.filter((each) => each.kind === 'own');
    own.forEach(({ disk }) => known.set(disk.id, disk));
    const blind = judged.filter((each) => each.kind === 'refused' && each.mayHoldVolumes);
    const there = new Set(judged.map(({ disk }) => disk.id));
    const missing = [...known.values()].filter(({ id }) => !there.has(id));
    return {
      own,
      partitions: partitionsOn(own),
      blind: blind.length > 0 ? blind.map(describeRefusal).join('; ') : undefined,
      disks: [
        ...judged.map((each) => toDiskInPool(each, failures)),
        ...missing.map(
          ({ id, bytes }) => ({ id, bytes, state: 'missing', message: gone }) as const,
        ),
      ],
    };
  }

  /** @returns whether anything was changed */
  async function settleDisk(each: JudgedDisk, signal: AbortSignal): Promise<boolean> {
    const { disk } = each;
    if (each.kind === 'free') {
      await disks.take(disk, (path) => markDisk({ ...disk, path }, pool, run), signal);
      return true;
    }
    if (each.kind === 'unfinished' && each.selected) {
      await finishMark(disk, each.mark, run);
      return true;
    }
    if (each.kind === 'unfinished' || (each.kind === 'own' && isDone(each))) {
      await refuseIfHeld(disk.path);
      await clearKernel(disk.path, { start: 0, bytes: disk.bytes }, run);
      await unmarkDisk(disk, each.mark);
      known.delete(disk.id);
      return true;
    }
    return false;
  }

  async function settle(signal: AbortSignal): Promise<PoolLook> {
    const judged = await judge();
    const failures = new Map<string, string>();
    let hasChanged = false;
    for (const each of judged) {
      try {
        hasChanged = (await settleDisk(each, signal)) || hasChanged;
      } catch (error) {
        signal.throwIfAborted();
        failures.set(each.disk.path, describeError(error));
      }
    }
    return toLook(hasChanged ? await judge() : judged, failures);
  }

  return { look: async () => toLook(await judge(), new Map()), settle };
}

const gone = 'it was there before, and is not any more';

function describeRefusal(each: JudgedDisk): string {
  return `${each.disk.path}: ${each.kind === 'refused' ? each.why : ''}`;
}

/** No longer selected, and nothing but the mark is on it. */
function isDone({ selected, table }: OwnDisk): boolean {
  return !selected && table.partitions.length === 1;
}

function toDiskInPool(each: JudgedDisk, failures: Failures): DiskInPool {
  const { id, path, bytes } = each.disk;
  const failure = failures.get(path);
  const about = { id, path, bytes };
  if (each.kind === 'own') {
    const state = each.selected ? 'used' : 'leaving';
    return { ...about, state, ...(failure !== undefined && { message: failure }) };
  }
  const why = each.kind === 'refused' ? each.why : (failure ?? 'it is not taken yet');
  return { ...about, state: 'refused', message: why };
}
