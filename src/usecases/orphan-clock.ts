import { orphanKey } from './orphans.ts';
import type { OrphanStanding } from './node-ports.ts';
import type { Now } from './ports.ts';

const tenMinutesMs = 600_000;

/**
 * Says when the time of an orphan is up. A wall clock that jumps must not destroy anything early,
 * so two things have to hold:
 *
 * - its date has passed by the wall clock as this process found it at its start, moved on by a
 *   clock that never jumps, or by the wall clock of now, whichever is earlier;
 * - this process itself has seen it for ten minutes, or for its whole period if that is shorter.
 */
export class OrphanClock {
  readonly #now: Now;
  readonly #elapsed: Now;
  readonly #startedAt: number;
  #seen: ReadonlyMap<string, number> = new Map();

  /** @param elapsed - milliseconds by a clock that is never set */
  constructor(now: Now, elapsed: Now) {
    this.#now = now;
    this.#elapsed = elapsed;
    this.#startedAt = now() - elapsed();
  }

  /** Takes note of all orphans there are; of the others nothing is remembered. */
  see(orphans: readonly OrphanStanding[]): void {
    const at = this.#elapsed();
    this.#seen = new Map(
      orphans.map((orphan) => [identity(orphan), this.#seen.get(identity(orphan)) ?? at]),
    );
  }

  /** @returns milliseconds until it may go, 0 or less if it may, or nothing if it never may */
  waitMs(orphan: OrphanStanding): number | undefined {
    const seenAt = this.#seen.get(identity(orphan));
    if (orphan.removedAt === undefined || seenAt === undefined) {
      return undefined;
    }
    const removedAt = Date.parse(orphan.removedAt);
    const leastMs = Math.min(tenMinutesMs, removedAt - Date.parse(orphan.since));
    const now = Math.min(this.#now(), this.#startedAt + this.#elapsed());
    return Math.max(removedAt - now, seenAt + leastMs - this.#elapsed());
  }
}

function identity(orphan: OrphanStanding): string {
  return `${orphanKey(orphan)} ${orphan.volumeUid ?? ''}`;
}
