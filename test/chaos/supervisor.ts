import type { Program } from '../cluster/program.ts';
import { waitFor } from '../cluster/wait.ts';

/** Starts programs again when they have ended, as init or kubelet would, and counts what it did to them. */
export class Supervisor {
  readonly #programs: ReadonlyMap<string, Program>;
  /** Until when a program is left as it is, by `performance.now()`. */
  readonly #downUntil = new Map<string, number>();
  readonly #paused = new Map<string, NodeJS.Timeout>();
  readonly #timer: NodeJS.Timeout;
  kills = 0;
  pauses = 0;

  constructor(programs: ReadonlyMap<string, Program>) {
    this.#programs = programs;
    this.#timer = setInterval(() => this.#startEnded(), 100);
  }

  kill(role: string, downMs: number): void {
    const program = this.#programs.get(role);
    if (program?.running !== true) return;
    this.#downUntil.set(role, performance.now() + downMs);
    program.signal('SIGKILL');
    this.kills += 1;
  }

  pause(role: string, forMs: number): void {
    this.#programs.get(role)?.signal('SIGSTOP');
    this.paused(role, forMs);
  }

  /** It has stopped by itself. */
  paused(role: string, forMs: number): void {
    clearTimeout(this.#paused.get(role));
    this.pauses += 1;
    this.#paused.set(
      role,
      setTimeout(() => this.#resume(role), forMs),
    );
  }

  /** It has killed itself. */
  killed(role: string | undefined, downMs: number): void {
    if (role !== undefined) this.#downUntil.set(role, performance.now() + downMs);
    this.kills += 1;
  }

  roleOf(pid: number): string | undefined {
    return [...this.#programs].find(([, program]) => program.pid === pid)?.[0];
  }

  /** Wakes and starts everything, and returns when all is ready. */
  async allUp(): Promise<void> {
    for (const role of this.#paused.keys()) this.#resume(role);
    this.#downUntil.clear();
    await Promise.all(
      [...this.#programs].map(([role, { spec }]) =>
        waitFor(`${role} to be ready`, () => this.#isUp(role, spec.ready), {
          timeoutMs: 90_000,
          intervalMs: 200,
          explain: () => this.#programs.get(role)?.tail() ?? '',
        }),
      ),
    );
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const role of this.#paused.keys()) this.#resume(role);
  }

  async #isUp(role: string, ready: (() => Promise<boolean>) | undefined): Promise<boolean> {
    return this.#programs.get(role)?.running === true && (ready === undefined || (await ready()));
  }

  #resume(role: string): void {
    clearTimeout(this.#paused.get(role));
    this.#paused.delete(role);
    this.#programs.get(role)?.signal('SIGCONT');
  }

  #startEnded(): void {
    for (const [role, program] of this.#programs) {
      if (!program.running && performance.now() >= (this.#downUntil.get(role) ?? 0)) {
        // One that ends at once, since what it needs is away, is not started again in a tight loop.
        this.#downUntil.set(role, performance.now() + 1_000);
        program.spawn();
      }
    }
  }
}
