import { PermanentError } from '../model/errors.ts';

/**
 * Brings one object to its wanted state. Gets only a key, never an event: it reads what is
 * wanted and what is there, so lost or doubled events are harmless.
 *
 * @returns milliseconds after which to look again, or nothing if all is done
 */
export type Reconcile = (key: string, signal: AbortSignal) => Promise<number | undefined>;

export interface ControllerOptions {
  readonly reconcile: Reconcile;
  /** Hears of every failure; `pauseMs` is missing where the key is not tried again by itself. */
  readonly onError: (key: string, error: unknown, pauseMs: number | undefined) => void;
  /** Waits, or ends early and quietly when the signal fires. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** How many keys may be worked on at the same time; 1 where not given. */
  readonly workers?: number;
  /** The pause after a first failure; it doubles with every further one. */
  readonly firstPauseMs?: number;
  readonly longestPauseMs?: number;
}

/**
 * Runs `reconcile` for every key put in, until stopped.
 *
 * A key is never worked on twice at the same time: put in while it is at work, it is worked on
 * once more afterwards. A key already waiting is not queued twice. A key that fails comes back
 * after a growing pause, unless the error is a `PermanentError`; a key put in during its pause
 * is worked on at once, since something about it has changed.
 */
export class Controller {
  readonly #waiting = new Set<string>();
  readonly #working = new Set<string>();
  readonly #later = new Map<string, AbortController>();
  readonly #failures = new Map<string, number>();
  readonly #options: Required<ControllerOptions>;
  #signal: AbortSignal | undefined;
  #stopped: () => void = () => {};

  constructor(options: ControllerOptions) {
    this.#options = { workers: 1, firstPauseMs: 1_000, longestPauseMs: 300_000, ...options };
  }

  enqueue(key: string): void {
    this.#later.get(key)?.abort();
    this.#later.delete(key);
    this.#waiting.add(key);
    this.#startWork();
  }

  /** Keys that wait or are worked on now; those in a pause are not counted. */
  get pending(): number {
    return this.#waiting.size + this.#working.size;
  }

  /** Resolves, and never rejects, once `signal` has fired and the work at hand has ended. */
  run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    return new Promise((resolve) => {
      this.#stopped = resolve;
      const stop = (): void => {
        for (const pause of this.#later.values()) {
          pause.abort();
        }
        this.#endWhenIdle();
      };
      signal.addEventListener('abort', stop, { once: true });
      if (signal.aborted) {
        stop();
      }
      this.#startWork();
    });
  }

  #endWhenIdle(): void {
    if (this.#signal?.aborted === true && this.#working.size === 0) {
      this.#stopped();
    }
  }

  #startWork(): void {
    const signal = this.#signal;
    if (signal === undefined) {
      return;
    }
    for (const key of this.#waiting) {
      if (signal.aborted || this.#working.size >= this.#options.workers) {
        return;
      }
      if (!this.#working.has(key)) {
        this.#waiting.delete(key);
        this.#working.add(key);
        void this.#work(key, signal);
      }
    }
  }

  async #work(key: string, signal: AbortSignal): Promise<void> {
    const againMs = await this.#reconcile(key, signal);
    this.#working.delete(key);
    if (againMs !== undefined && !this.#waiting.has(key)) {
      void this.#enqueueLater(key, againMs, signal);
    }
    this.#startWork();
    this.#endWhenIdle();
  }

  async #reconcile(key: string, signal: AbortSignal): Promise<number | undefined> {
    try {
      const againMs = await this.#options.reconcile(key, signal);
      this.#failures.delete(key);
      return againMs;
    } catch (error) {
      if (signal.aborted) {
        return undefined;
      }
      const pauseMs = error instanceof PermanentError ? undefined : this.#pauseAfterFailure(key);
      this.#options.onError(key, error, pauseMs);
      return pauseMs;
    }
  }

  /** 1 s, 2 s, 4 s ... up to the longest pause. */
  #pauseAfterFailure(key: string): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const { firstPauseMs, longestPauseMs } = this.#options;
    return Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures, 30));
  }

  async #enqueueLater(key: string, ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) {
      return;
    }
    const pause = new AbortController();
    this.#later.set(key, pause);
    await this.#options.sleep(ms, pause.signal);
    if (!pause.signal.aborted) {
      this.enqueue(key);
    }
  }
}
