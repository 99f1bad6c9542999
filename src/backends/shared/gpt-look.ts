import { describeError } from '../../model/errors.ts';
import type { Disk } from '../../model/disk.ts';
import { sharedLook } from '../../usecases/one-at-a-time.ts';
import type { DiskInPool } from '../../usecases/ports.ts';
import type { BackendSurroundings, PoolDisk } from '../backend.ts';
import { judgeDisk, type JudgedDisk, type OwnDisk } from './gpt-disks.ts';
import { clearKernel } from './gpt-kernel.ts';
import { finishMark, markDisk, unmarkDisk } from './gpt-mark.ts';
import type { ReadTable } from './gpt-reader.ts';
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

/**
 * How to look at the disks. Whose a disk is, and what volumes are on it, is read from the disk itself
 * either way; programs are started only for tables whose bytes have changed.
 *
 * - `present`: without listing all disks of the node while none comes, goes or is replaced. What is
 *   found is there, and may be used.
 * - `all`: lists them. Whoever has not found what he was looking for looks like this before he says so:
 *   what is on disks of others, and by what names udev knows them, may have changed in silence.
 */
export type Extent = 'present' | 'all';

export interface GptDisks {
  /** Changes nothing on any disk. */
  look(extent: Extent): Promise<PoolLook>;
  /**
   * Takes the blank disks that are selected, lets go of empty ones that no longer are, and
   * finishes what was cut off: of all disks as they are listed then. To be called in the pool's row.
   */
  settle(extent: Extent, signal: AbortSignal): Promise<PoolLook>;
}

type Surroundings = Pick<BackendSurroundings, 'pool' | 'run' | 'disks' | 'now'> & {
  readonly readTable: ReadTable;
};

/** What could not be done with a disk. */
interface Failure {
  readonly id: string;
  readonly why: string;
  /** Until then it is tried again only by those who look at all disks. */
  readonly until: number;
}

const patienceMs = 60_000;

/** The disks of one pool that keeps its volumes in partitions. */
export function gptDisks({ pool, run, disks, now, readTable }: Surroundings): GptDisks {
  const known = new Map<string, Disk>();
  /** By path. */
  const failures = new Map<string, Failure>();
  const never = new AbortController().signal;
  /** Whoever declares a pool anew may have wiped a disk for it, which nothing else tells of. */
  let hasSettled = false;

  const judging = (list: (signal: AbortSignal) => Promise<readonly PoolDisk[]>) =>
    sharedLook(async () => {
      const listed = await list(never);
      const judged = await Promise.all(listed.map((each) => judgeDisk(each, pool, readTable)));
      return judged.filter((each) => each !== undefined);
    });
  const judge = {
    present: judging((signal) => disks.present(signal)),
    all: judging((signal) => disks.list(signal)),
  };

  const failureOf = ({ disk }: JudgedDisk): Failure | undefined => {
    const found = failures.get(disk.path);
    return found?.id === disk.id ? found : undefined;
  };
  const hasToSettle = (each: JudgedDisk): boolean =>
    isUnsettled(each) && now() >= (failureOf(each)?.until ?? -Infinity);

  function toLook(judged: readonly JudgedDisk[]): PoolLook {
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
        ...judged.map((each) => toDiskInPool(each, failureOf(each)?.why)),
        ...missing.map(
          ({ id, bytes }) => ({ id, bytes, state: 'missing', message: gone }) as const,
        ),
      ],
    };
  }

  /** Called with what was judged of all disks as they are. @returns whether anything was changed */
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

  async function settleAll(signal: AbortSignal): Promise<PoolLook> {
    const judged = await judge.all();
    failures.clear();
    let hasChanged = false;
    for (const each of judged) {
      try {
        hasChanged = (await settleDisk(each, signal)) || hasChanged;
      } catch (error) {
        signal.throwIfAborted();
        const { id, path } = each.disk;
        failures.set(path, { id, why: describeError(error), until: now() + patienceMs });
      }
    }
    hasSettled = true;
    return toLook(hasChanged ? await judge.all() : judged);
  }

  return {
    look: async (extent) => toLook(await judge[extent]()),
    settle: async (extent, signal) => {
      const judged = extent === 'present' && hasSettled ? await judge.present() : undefined;
      const isSettled = judged !== undefined && !judged.some(hasToSettle);
      return isSettled ? toLook(judged) : settleAll(signal);
    },
  };
}

const gone = 'it was there before, and is not any more';

function describeRefusal(each: JudgedDisk): string {
  return `${each.disk.path}: ${each.kind === 'refused' ? each.why : ''}`;
}

/** There is something to do with it before volumes are made. */
function isUnsettled(each: JudgedDisk): boolean {
  return (
    each.kind === 'free' || each.kind === 'unfinished' || (each.kind === 'own' && isDone(each))
  );
}

/** No longer selected, and nothing but the mark is on it. */
function isDone({ selected, table }: OwnDisk): boolean {
  return !selected && table.partitions.length === 1;
}

function toDiskInPool(each: JudgedDisk, failure: string | undefined): DiskInPool {
  const { id, path, bytes } = each.disk;
  const about = { id, path, bytes };
  const message = isUnsettled(each) ? failure : undefined;
  if (each.kind === 'own') {
    const state = each.selected ? 'used' : 'leaving';
    return { ...about, state, ...(message !== undefined && { message }) };
  }
  const why = each.kind === 'refused' ? each.why : (message ?? 'it is not taken yet');
  return { ...about, state: 'refused', message: why };
}
