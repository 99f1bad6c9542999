import type {
  Cleaned,
  CleanRequest,
  DiscoveredEntry,
  DiscoveredPool,
  DiscoveryPool,
} from '../model/discovery.ts';
import { describeError } from '../model/errors.ts';
import type { Reconcile } from './controller.ts';
import type {
  CleanMedium,
  DiscoveryBoard,
  FoundEntry,
  FoundPool,
  LookForMedia,
} from './discovery-ports.ts';
import { oneAtATime } from './one-at-a-time.ts';
import type { EventSink, Log, Now, ObjectRef } from './ports.ts';

export interface DiscoveryParts {
  readonly node: string;
  /** Those of this node, and those with something to be cleaned. */
  readonly pools: () => readonly DiscoveryPool[];
  readonly look: LookForMedia;
  readonly clean: CleanMedium;
  readonly board: DiscoveryBoard;
  readonly events: EventSink;
  readonly log: Log;
  readonly now: Now;
}

/**
 * What the agent does for pools of the backend `discovery`: says what is there, and cleans what
 * it is asked to, once for each request.
 */
export class DiscoveryTender {
  readonly #parts: DiscoveryParts;
  readonly #inTurn = oneAtATime();
  /** By the id of the medium. */
  readonly #cleaned = new Map<string, Cleaned>();
  readonly #atWork = new Set<string>();
  readonly #troubles = new Map<string, string>();
  #found: readonly FoundPool[] = [];
  #isResumed = false;

  constructor(parts: DiscoveryParts) {
    this.#parts = parts;
  }

  /** Goes on where an earlier agent of this node stopped. */
  async #resume(): Promise<void> {
    if (this.#isResumed) {
      return;
    }
    for (const { entries } of await this.#parts.board.read()) {
      for (const { id, cleaned } of entries) {
        if (id !== undefined && cleaned !== undefined) {
          this.#cleaned.set(id, cleaned);
        }
      }
    }
    this.#isResumed = true;
  }

  /** Looks at everything and says what is there. */
  look(signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      await this.#resume();
      this.#found = await this.#parts.look(this.#parts.pools(), signal);
      await this.#tell();
    });
  }

  /** The requests that can be fulfilled as far as is known: their media are there. */
  due(): readonly string[] {
    const isThere = ({ id }: CleanRequest): boolean => this.#entry(id) !== undefined;
    return this.#open()
      .filter(isThere)
      .map(({ id }) => id);
  }

  /** Cleans the medium of that id, if that is asked. */
  readonly clean: Reconcile = async (id, signal) => {
    const request = this.#open().find((one) => one.id === id);
    if (request === undefined) {
      return undefined;
    }
    // Said first, and in the cluster before the request is read: whoever takes it back and then
    // makes a new volume of this medium has to see that it is at work.
    this.#atWork.add(id);
    try {
      await this.look(signal);
      const medium = this.#entry(id);
      if (medium !== undefined && (await this.#parts.board.isAsked(request))) {
        await this.#cleanFound(request, medium, signal);
      }
      this.#troubles.delete(id);
    } catch (error) {
      signal.throwIfAborted();
      this.#complain(request, describeError(error));
      throw error;
    } finally {
      this.#atWork.delete(id);
    }
    await this.look(signal);
    return undefined;
  };

  async #cleanFound(
    request: CleanRequest,
    { entry, pool }: { readonly entry: FoundEntry; readonly pool: DiscoveryPool },
    signal: AbortSignal,
  ): Promise<void> {
    const { clean, events, log, now, node } = this.#parts;
    if (entry.refusal !== undefined) {
      throw new Error(entry.refusal);
    }
    const result = await clean(entry, pool.plan, signal);
    const { id, volume, volumeUid } = request;
    this.#cleaned.set(id, { volumeUid, result, at: new Date(now()).toISOString() });
    events.normal(volumeRef(request), 'MediumCleaned', `node ${node}, ${entry.path}: ${result}`);
    log.info('medium cleaned', { volume, path: entry.path, id, result });
  }

  /** Just after a pod it is often still mounted for a moment: only what lasts is worth a word. */
  #complain(request: CleanRequest, why: string): void {
    const { events, log, node } = this.#parts;
    log.warn('a medium was not cleaned', { ...request, why });
    if (this.#troubles.has(request.id)) {
      events.warning(volumeRef(request), 'MediumNotCleaned', `node ${node}: ${why}; tried again`);
    }
    this.#troubles.set(request.id, why);
  }

  #open(): readonly CleanRequest[] {
    return this.#parts.board
      .requests()
      .filter(({ id, volumeUid }) => this.#cleaned.get(id)?.volumeUid !== volumeUid);
  }

  #entry(id: string) {
    for (const { pool: name, entries } of this.#found) {
      const entry = entries.find((one) => one.id === id);
      const pool = this.#parts.pools().find((one) => one.name === name);
      if (entry && pool) {
        return { entry, pool };
      }
    }
    return undefined;
  }

  #tell(): Promise<void> {
    const asked = new Set([...this.#open().map(({ id }) => id), ...this.#atWork]);
    return this.#parts.board.write(
      this.#found.map(({ pool, problem, entries }): DiscoveredPool => ({
        pool,
        healthy: problem === undefined || entries.length > 0,
        message: problem,
        entries: entries.map((entry) => this.#toEntry(entry, asked)),
      })),
    );
  }

  #toEntry(found: FoundEntry, asked: ReadonlySet<string>): DiscoveredEntry {
    const { name, path, id, bytes, mode, refusal, use } = found;
    const common = { name, path, id, bytes, mode, ...(use !== undefined && { busy: true }) };
    if (refusal !== undefined || id === undefined) {
      return { ...common, state: 'refused', message: refusal };
    }
    const cleaned = this.#cleaned.get(id);
    return asked.has(id)
      ? { ...common, state: 'cleaning', message: this.#troubles.get(id), cleaned }
      : { ...common, state: 'available', cleaned };
  }
}

function volumeRef({ volume, volumeUid }: CleanRequest): ObjectRef {
  return { apiVersion: 'v1', kind: 'PersistentVolume', name: volume, uid: volumeUid };
}
