import { capacityAnnotation } from '../model/names.ts';
import type { LocalVolume } from '../model/volume.ts';
import { measurePool, type Measured } from './measure-pool.ts';
import { findOrphans, tellOrphans } from './orphans.ts';
import type { NodeDevices } from './node-devices.ts';
import type {
  NodeBoard,
  NodeChange,
  NodeMeter,
  NodeStanding,
  NodeVolumes,
  OrphanStanding,
  ShownNode,
  StandingStore,
} from './node-ports.ts';
import type { NodePool } from './node-pools.ts';
import { PoolNews } from './pool-news.ts';
import { decideReport, highestGeneration, shownReport } from './pool-report.ts';
import type { EventSink, Now, ObjectRef } from './ports.ts';

export interface ReporterParts {
  readonly node: string;
  readonly board: NodeBoard;
  readonly standings: StandingStore;
  readonly volumes: Pick<NodeVolumes, 'list'>;
  readonly pools: { list(): readonly NodePool[] };
  readonly devices: Pick<NodeDevices, 'resume' | 'show'>;
  readonly events: EventSink;
  readonly meter: NodeMeter;
  readonly now: Now;
  /** Asks for a report soon; asking often counts once. */
  readonly reportSoon: () => void;
  /** A volume should be looked at: its pool works again, or it is not where it should be. */
  readonly lookAt: (volume: string) => void;
  /** The StorageNode, for events. */
  readonly about: () => ObjectRef;
  /** Hears of all orphans there are, at each look. */
  readonly onOrphans: (orphans: readonly OrphanStanding[]) => void;
}

/**
 * Tells the cluster what this node can give, whenever that has changed.
 *
 * Each report has a number that only grows. A volume made now learns the number of the first
 * report that will count it, and that report is published even if all its numbers are old: who
 * adds up the node's volumes knows by it which of them the report has seen.
 */
export class NodeReporter {
  readonly #parts: ReporterParts;
  /** The number of the last report, and of the one that is being measured now. */
  #last = 0;
  #measuring = 0;
  readonly #owed = new Map<string, number>();
  /** Per pool, what the Node says of it: the number of that report, and the volumes it counts. */
  readonly #counted = new Map<string, { generation: number; volumes: ReadonlySet<string> }>();
  /** Per pool, the volumes that are counted in the report that is being measured now. */
  readonly #measured = new Map<string, ReadonlySet<string>>();
  #orphans: readonly OrphanStanding[] = [];
  readonly #news: PoolNews;

  constructor(parts: ReporterParts) {
    this.#parts = parts;
    this.#news = new PoolNews(parts);
  }

  /** Goes on where an earlier agent of this node stopped, whatever of its traces is left. */
  resume(before: Partial<NodeStanding>, shown: ShownNode | undefined): void {
    const volumes = this.#parts.volumes.list();
    const counted = volumes.map(({ status }) => status.generation ?? 0);
    const known = shown === undefined ? 0 : highestGeneration(shown);
    const { generation = 0, orphans = [], pools = [] } = before;
    this.#last = Math.max(generation, known, ...counted);
    this.#orphans = orphans;
    this.#parts.devices.resume(before.devices);
    this.#news.resume(pools);
    this.#oweAfterCrash(volumes, shown);
  }

  #oweAfterCrash(volumes: readonly LocalVolume[], shown: ShownNode | undefined): void {
    for (const { spec, status } of volumes) {
      const told = shown && shownReport(shown, spec.pool)?.generation;
      if (status.generation !== undefined && status.generation > (told ?? 0)) {
        this.#owed.set(spec.pool, this.#last + 1);
      }
    }
  }

  /** The number of the first report that counts, or will count, a volume that exists. */
  generationOf(pool: string, volume: string): number {
    const counted = this.#counted.get(pool);
    if (counted?.volumes.has(volume) === true) {
      return counted.generation;
    }
    const isMeasured = this.#measured.get(pool)?.has(volume) === true;
    return isMeasured ? this.#owe(pool, this.#measuring) : this.nextGeneration(pool);
  }

  /** The number of the first report that counts the pool as it is now, all volumes at their size. */
  nextGeneration(pool: string): number {
    return this.#owe(pool, Math.max(this.#last, this.#measuring) + 1);
  }

  #owe(pool: string, generation: number): number {
    this.#owed.set(pool, Math.max(generation, this.#owed.get(pool) ?? 0));
    return generation;
  }

  changed(): void {
    this.#parts.reportSoon();
  }

  /** Measures everything, and writes what the cluster does not show yet. Never run twice at once. */
  async report(signal: AbortSignal): Promise<void> {
    const { board, standings, meter, volumes } = this.#parts;
    this.#measuring = Math.max(this.#last + 1, ...this.#owed.values());
    const askedBefore = this.#parts.volumes.list();
    try {
      const measured = await Promise.all(
        this.#parts.pools.list().map((pool) => {
          const count = (volumes: readonly string[]): void =>
            void this.#measured.set(pool.name, new Set(volumes));
          return measurePool(pool, count, signal);
        }),
      );
      signal.throwIfAborted();
      this.#news.tell(measured.map(({ standing }) => standing));
      this.#lookAtMissing(measured);
      const shown = board.shown();
      if (shown !== undefined) {
        await this.#publish(measured, shown);
      }
      // One that is made, or goes, while this is measured is asked for before or after it.
      const asked = [...askedBefore, ...volumes.list()];
      const standing = await this.#standing(measured, asked, board.shown());
      const allocated = new Map(measured.map((each) => [each.standing.name, each.allocated]));
      meter.pools(standing, allocated, this.#lost());
      await standings.write(standing);
      // Only what the StorageNode shows with its date may come to its end.
      this.#parts.onOrphans(standing.orphans);
    } finally {
      this.#measuring = 0;
      this.#measured.clear();
    }
  }

  async #publish(measured: readonly Measured[], shown: ShownNode): Promise<void> {
    const generation = this.#measuring;
    const pools = measured.map(({ standing }) => standing);
    const change = decideReport({ pools, shown, generation, owed: this.#owed });
    this.#count(change, shown);
    if (change === undefined) {
      return;
    }
    this.#last = generation;
    const kept = new Map(this.#owed);
    this.#settleDebts(generation);
    try {
      await this.#parts.board.publish(change);
    } catch (error) {
      // What was told this number is counted in a later report then, which has to come.
      for (const pool of [...kept.keys(), ...pools.map(({ name }) => name)]) {
        this.#owed.set(pool, Math.max(generation + 1, this.#owed.get(pool) ?? 0));
      }
      throw error;
    }
  }

  /** From here on the volumes of this measurement are known to be in what the Node says. */
  #count(change: NodeChange | undefined, shown: ShownNode): void {
    for (const [pool, volumes] of this.#measured) {
      const isTold = typeof change?.annotations[capacityAnnotation(pool)] === 'string';
      const generation = isTold ? this.#measuring : shownReport(shown, pool)?.generation;
      if (generation !== undefined && (this.#owed.get(pool) ?? 0) <= this.#measuring) {
        this.#counted.set(pool, { generation, volumes });
      }
    }
  }

  #settleDebts(generation: number): void {
    for (const [pool, owed] of this.#owed) {
      if (owed <= generation) {
        this.#owed.delete(pool);
      }
    }
  }

  /** Somebody took away a volume that is in use: its LocalVolume has to say so. */
  #lookAtMissing(measured: readonly Measured[]): void {
    for (const volume of this.#parts.volumes.list()) {
      const pool = measured.find(({ standing }) => standing.name === volume.spec.pool);
      const isThere = pool?.inventory.volumes.some(({ volumeUid }) => volumeUid === volume.uid);
      if (volume.status.phase === 'Ready' && pool?.standing.healthy === true && !isThere) {
        this.#parts.lookAt(volume.name);
      }
    }
  }

  #lost(): ReadonlyMap<string, number> {
    const lost = new Map<string, number>();
    for (const { spec, status } of this.#parts.volumes.list()) {
      lost.set(spec.pool, (lost.get(spec.pool) ?? 0) + (status.phase === 'Lost' ? 1 : 0));
    }
    return lost;
  }

  /** Says of the pools what the Node says of them, so that both change together. */
  async #standing(
    measured: readonly Measured[],
    asked: readonly LocalVolume[],
    shown: ShownNode | undefined,
  ): Promise<NodeStanding> {
    const pools = measured.map(({ standing }) => {
      const told = shown && shownReport(shown, standing.name);
      const { total, free, largest } = told ?? standing;
      return { ...standing, total, free, largest };
    });
    const before = this.#orphans;
    this.#orphans = findOrphans(
      measured.map(({ standing, ...content }) => ({ pool: standing, ...content })),
      asked,
      before,
      new Date(this.#parts.now()).toISOString(),
    );
    tellOrphans(this.#orphans, before, this.#parts.about(), this.#parts.events);
    const devices = await this.#parts.devices.show(this.#parts.pools.list(), pools);
    return { generation: this.#last, pools, orphans: this.#orphans, devices };
  }
}
