import { Random } from './random.ts';

/** A process of the simulation. Dead, none of its promises ever goes on. */
export interface Process {
  readonly name: string;
  alive: boolean;
  /** Nothing of it goes on before this time. */
  pausedUntil: number;
}

interface Event {
  readonly at: number;
  readonly serial: number;
  readonly owner: Process | undefined;
  readonly run: () => void | Promise<void>;
  /** Runs in place of `run` where the owner has died meanwhile. */
  readonly lost: (() => void) | undefined;
}

const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setImmediate: globalThis.setImmediate,
  dateNow: Date.now,
  performanceNow: performance.now.bind(performance),
};

const longestTrace = 4_000;

/**
 * One clock and one queue for all processes. Every timer, every answer and every piece of news is
 * an event in it, and only one process runs at a time until it waits: a seed decides everything.
 */
export class World {
  readonly random: Random;
  now = Date.UTC(2030, 0, 1);
  readonly startedAt = this.now;
  /** Runs after each event. */
  afterEach: () => void = () => {};
  readonly trace: string[] = [];
  readonly #queue: Event[] = [];
  #serial = 0;
  #current: Process | undefined;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  say(who: string, text: string): void {
    const seconds = ((this.now - this.startedAt) / 1000).toFixed(3);
    this.trace.push(`${seconds.padStart(9)} ${who}: ${text}`);
    if (this.trace.length > longestTrace) {
      this.trace.splice(0, longestTrace / 4);
    }
  }

  process(name: string): Process {
    return { name, alive: true, pausedUntil: 0 };
  }

  /** Does `run` in `ms`, as a part of `owner`; without one it is the outside world. */
  after(ms: number, owner: Process | undefined, run: Event['run'], lost?: () => void): Event {
    this.#serial += 1;
    const event = { at: this.now + Math.max(0, ms), serial: this.#serial, owner, run, lost };
    this.#push(event);
    return event;
  }

  /** An answer on its way to `owner`. */
  soon(owner: Process | undefined, run: Event['run'], lost?: () => void): void {
    this.after(this.random.delay(), owner, run, lost);
  }

  kill(process: Process): void {
    if (process.alive) {
      process.alive = false;
      this.say(process.name, 'KILLED');
    }
  }

  pause(process: Process, ms: number): void {
    this.#sayPaused(process, ms);
    Object.assign(process, { pausedUntil: this.now + ms });
  }

  /** Lets the time go on until `until`, or until `done` holds. */
  async run(until: number, done: () => boolean = () => false): Promise<void> {
    this.#takeClock();
    try {
      for (let next = this.#queue[0]; next && next.at <= until && !done(); next = this.#queue[0]) {
        this.#pop();
        await this.#step(next);
      }
      this.now = Math.max(this.now, done() ? this.now : until);
    } finally {
      this.#giveClockBack();
    }
  }

  async #step(event: Event): Promise<void> {
    this.now = Math.max(this.now, event.at);
    const { owner } = event;
    if (owner?.alive === false) {
      event.lost?.();
      return;
    }
    if (owner !== undefined && owner.pausedUntil > this.now) {
      this.#push({ ...event, at: owner.pausedUntil });
      return;
    }
    this.#current = owner;
    const work = event.run();
    if (work !== undefined) {
      await work;
    }
    if (owner !== undefined) {
      // Everything that the process can do without waiting is done after this.
      await new Promise((resolve) => real.setImmediate(resolve));
    }
    this.#current = undefined;
    this.afterEach();
  }

  #sayPaused(process: Process, ms: number): void {
    this.say(process.name, `paused for ${ms} ms`);
  }

  #takeClock(): void {
    const timers = new Map<object, Event>();
    globalThis.setTimeout = ((run: () => void, ms = 0) => {
      const owner = this.#current;
      if (owner === undefined) {
        return real.setTimeout(run, ms);
      }
      const timer = { unref: () => timer, ref: () => timer };
      const fire = (): void => {
        if (timers.delete(timer)) {
          run();
        }
      };
      timers.set(timer, this.after(ms, owner, fire));
      return timer;
    }) as unknown as typeof setTimeout;
    globalThis.clearTimeout = ((timer: object | undefined) => {
      if (timer === undefined || !timers.delete(timer)) {
        real.clearTimeout(timer as unknown as NodeJS.Timeout);
      }
    }) as typeof clearTimeout;
    Date.now = () => this.now;
    performance.now = () => this.now - this.startedAt;
  }

  #giveClockBack(): void {
    globalThis.setTimeout = real.setTimeout;
    globalThis.clearTimeout = real.clearTimeout;
    Date.now = real.dateNow;
    performance.now = real.performanceNow;
  }

  // A binary heap by time, then by age.

  #push(event: Event): void {
    const queue = this.#queue;
    let at = queue.length;
    queue.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = queue[parent];
      if (above === undefined || !isBefore(event, above)) {
        break;
      }
      queue[at] = above;
      at = parent;
    }
    queue[at] = event;
  }

  #pop(): void {
    const queue = this.#queue;
    const last = queue.pop();
    if (last === undefined || queue.length === 0) {
      return;
    }
    let at = 0;
    for (;;) {
      const child = this.#earlierChild(at);
      const below = queue[child];
      if (below === undefined || !isBefore(below, last)) {
        break;
      }
      queue[at] = below;
      at = child;
    }
    queue[at] = last;
  }

  #earlierChild(at: number): number {
    const [left, right] = [this.#queue[2 * at + 1], this.#queue[2 * at + 2]];
    return left && right && isBefore(right, left) ? 2 * at + 2 : 2 * at + 1;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.serial < b.serial);
}
