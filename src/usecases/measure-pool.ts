import { bytes, type Bytes } from '../model/bytes.ts';
import { describeError } from '../model/errors.ts';
import type { NodePool } from './node-pools.ts';
import { cut } from '../model/shown.ts';
import type { PoolStanding, ThinStanding } from './node-ports.ts';
import type { PoolInventory, PoolUsage, ThinUsage } from './ports.ts';

/** One pool of this node as it was found. */
export interface Measured {
  readonly standing: PoolStanding;
  readonly inventory: PoolInventory;
  readonly allocated: Bytes;
  /** How long its orphans are kept. */
  readonly keepForMs: number;
}

const nothing = bytes(0);
const noRoom = { total: nothing, free: nothing, largest: nothing };

const mostDisks = 64;
const mostWarnings = 16;
const longestText = 512;

/** What is not a number, short enough for an object that all agents write. */
function remarks({
  disks,
  under,
  warnings,
  thin,
}: PoolUsage): Pick<PoolStanding, 'disks' | 'under' | 'warnings' | 'thin'> {
  return {
    ...(under && { under: under.slice(0, mostDisks) }),
    ...(thin && { thin: thinStanding(thin) }),
    ...(disks && {
      disks: disks.slice(0, mostDisks).map(({ message, ...disk }) => ({
        ...disk,
        ...(message !== undefined && { message: cut(message, longestText) }),
      })),
    }),
    ...(warnings && {
      warnings: warnings.slice(0, mostWarnings).map((text) => cut(text, longestText)),
    }),
  };
}

function thinStanding(thin: ThinUsage): ThinStanding {
  const { physical, used, committed, overcommit, metadataUsed } = thin;
  const usedPercent = physical === 0 ? 100 : Math.ceil((100 * used) / physical);
  const metadataUsedPercent = Math.ceil(100 * metadataUsed);
  return { physical, committed, overcommit, usedPercent, metadataUsedPercent };
}

/**
 * Looks at all of a pool. One that cannot be read has no room, and says why.
 *
 * @param onCounted - hears which volumes the numbers count, as soon as they are known
 */
export async function measurePool(
  { name, backend, storage, problem, keepForMs = Infinity }: NodePool,
  onCounted: (volumes: readonly string[]) => void,
  signal: AbortSignal,
): Promise<Measured> {
  const about = { name, backend };
  try {
    if (storage === undefined) {
      throw new Error(problem ?? 'it cannot be used');
    }
    const usage = await storage.usage(signal);
    const { allocated, volumes: counted, total, free, largest, pieces } = usage;
    const room = { total, free, largest, ...(pieces && { pieces }) };
    onCounted(counted);
    const inventory = await storage.list(signal);
    const volumes = inventory.volumes.length;
    const message = problem ?? usage.problem;
    const standing: PoolStanding =
      message === undefined
        ? { ...about, healthy: true, ...room, volumes, ...remarks(usage) }
        : { ...about, healthy: false, message, ...noRoom, volumes, ...remarks(usage) };
    return { standing, inventory, allocated, keepForMs };
  } catch (error) {
    signal.throwIfAborted();
    const message = problem ?? describeError(error);
    const standing = { ...about, healthy: false, message, ...noRoom, volumes: 0 };
    const inventory = { volumes: [], strays: [] };
    return { standing, inventory, allocated: nothing, keepForMs };
  }
}
