import type { Bytes } from '../model/bytes.ts';
import type { DeviceSelector } from '../model/device-selector.ts';
import type { Disk } from '../model/disk.ts';
import type { Result } from '../model/result.ts';
import type { VolumeForm } from '../model/volume.ts';
import type { RunCommand } from '../platform/run-command.ts';
import type { InTurn } from '../usecases/one-at-a-time.ts';
import type { Now, StorageBackend } from '../usecases/ports.ts';

/** The disks of the node, as one pool sees them. */
export interface PoolDisks {
  /**
   * All disks of the node as they are now, and which of them the pool's selector names. A disk
   * that carries the pool's mark is the pool's as long as volumes are on it, selected or not.
   */
  list(signal: AbortSignal): Promise<readonly PoolDisk[]>;
  /**
   * The same without any program while no disk comes, goes or is replaced: paths, ids and sizes are
   * those of now, `content` is as old as the last look at all disks. Good for finding out by what is
   * read from a disk whose it is; not for taking one, letting go of one, or saying that one is missing.
   */
  present(signal: AbortSignal): Promise<readonly PoolDisk[]>;
  /**
   * Makes a disk the pool's. All pools of the node wait while the disk is looked at anew and its
   * ends are read: only a blank one is handed to `mark`, which writes what it is known by.
   *
   * @throws PermanentError when there is anything on it; it is left as it is then
   */
  take(disk: Disk, mark: (path: string) => Promise<void>, signal: AbortSignal): Promise<void>;
}

export interface PoolDisk {
  readonly disk: Disk;
  readonly selected: boolean;
  /** The other pool of this node that has it already. */
  readonly takenBy?: string | undefined;
}

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
  readonly disks: PoolDisks;
  /** One row for all that is made in this pool, whatever options it is opened with next. */
  readonly inTurn: InTurn;
}

/** A pool as declared, understood by its backend and not opened yet. */
export interface PoolPlan {
  /**
   * What the pool is made of, where that has a name; two pools of one node must not share it, and
   * it cannot change. Missing for a pool that is made of whatever disks its selector names.
   */
  readonly source?: string | undefined;
  /** What a pod gets: only a device can be handed to it raw, as `volumeMode: Block` asks. */
  readonly gives: VolumeForm;
  /** Volumes keep the size that they were made with. */
  readonly fixedSize?: boolean;
  /** The directory it lies in, where it lies in one: it is as well as the disks below that. */
  readonly directory?: string | undefined;
  /** What a volume of `wanted` usable bytes occupies of this pool. The same wherever it is asked. */
  readonly allocatedFor: (wanted: Bytes) => Bytes;
  /**
   * What changes whenever the numbers of the pool `pool` may, beside the disks of the node and what
   * Berth itself does. Starts no program. Missing where the pool is measured without one anyway.
   */
  readonly signs?: (pool: string) => Promise<string>;
  readonly open: (around: BackendSurroundings) => StorageBackend;
}

/** One way of cutting volumes, as the registry lists it. */
export interface Backend {
  /**
   * Reads the part of a StoragePool's spec that has the backend's name.
   *
   * @param devices - the disks that the spec selects, where it does
   * @returns the plan, or every mistake: field, value and what is allowed
   */
  readonly parse: (
    source: unknown,
    devices: DeviceSelector | undefined,
  ) => Result<PoolPlan, string>;
  /**
   * Takes away every link in `runDir` that does not lead to the volume it is named after. Done
   * once, before anything else: after a restart the same device may hold another volume.
   */
  readonly dropStaleLinks: (runDir: string, run: RunCommand) => Promise<void>;
}
