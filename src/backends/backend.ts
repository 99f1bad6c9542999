import type { Bytes } from '../model/bytes.ts';
import type { Result } from '../model/result.ts';
import type { RunCommand } from '../platform/run-command.ts';
import type { InTurn } from '../usecases/one-at-a-time.ts';
import type { Now, StorageBackend } from '../usecases/ports.ts';

/** What a backend gets from the agent that runs it. */
export interface BackendSurroundings {
  readonly pool: string;
  /** Holds one link per volume, named like it; on a medium that is empty after a reboot. */
  readonly runDir: string;
  readonly run: RunCommand;
  readonly now: Now;
  /**
   * Volumes are known that were made in this pool before, on this machine. What is missing then
   * has been lost, or its disk is not mounted: it must not be made anew.
   */
  readonly hasVolumes: () => boolean;
  /** One row for all that is made in this pool, whatever options it is opened with next. */
  readonly inTurn: InTurn;
}

/** A pool as declared, understood by its backend and not opened yet. */
export interface PoolPlan {
  /** What the pool is made of; two pools of one node must not share it. */
  readonly source: string;
  /** What a volume of `wanted` usable bytes occupies of this pool. The same wherever it is asked. */
  readonly allocatedFor: (wanted: Bytes) => Bytes;
  readonly open: (around: BackendSurroundings) => StorageBackend;
}

/** One way of cutting volumes, as the registry lists it. */
export interface Backend {
  /**
   * Reads the part of a StoragePool's spec that has the backend's name.
   * @returns the plan, or every mistake: field, value and what is allowed
   */
  readonly parse: (source: unknown) => Result<PoolPlan, string>;
  /**
   * Takes away every link in `runDir` that does not lead to the volume it is named after. Done
   * once, before anything else: after a restart the same device may hold another volume.
   */
  readonly dropStaleLinks: (runDir: string, run: RunCommand) => Promise<void>;
}
