import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

import { searchPath } from './paths.ts';
import { OWNER_VARIABLE, ROLE_VARIABLE, signalProcess } from './processes.ts';
import { waitFor } from './wait.ts';

export interface ProgramSpec {
  /** Names the program in errors, in `kill(role)` and in its log file; unique within a cluster. */
  role: string;
  file: string;
  args: readonly string[];
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** Words to put before the command, asked for at every start, e.g. to run it in a namespace that exists by then. */
  prefix?: () => readonly string[];
  /** Asked until it answers true; without it a program counts as ready at once. */
  ready?: () => Promise<boolean>;
  readyTimeoutMs?: number;
}

/** The cluster a program belongs to: its folder, and the signal after which nothing may be started there. */
export interface ClusterScope {
  dir: string;
  closing: AbortSignal;
}

/** One program of a cluster that can be started, stopped, paused and started again with the same arguments. */
export class Program {
  readonly spec: ProgramSpec;
  readonly log: string;
  readonly #scope: ClusterScope;
  #child: ChildProcess | undefined;
  #spawnError: Error | undefined;

  constructor(scope: ClusterScope, spec: ProgramSpec) {
    this.spec = spec;
    this.#scope = scope;
    this.log = join(scope.dir, 'logs', `${spec.role}.log`);
  }

  get pid(): number | undefined {
    return this.running ? this.#child?.pid : undefined;
  }

  get running(): boolean {
    const child = this.#child;
    return child?.pid !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** Starts it and waits until it is ready. Throws with the end of its log if it exits before that. */
  async start(): Promise<void> {
    this.spawn();
    await this.ready();
  }

  spawn(): void {
    this.#scope.closing.throwIfAborted();
    if (this.running) throw new Error(`${this.spec.role} is running already`);
    mkdirSync(dirname(this.log), { recursive: true });
    const output = openSync(this.log, 'a');
    const [file = '', ...args] = this.#commandLine();
    const child = spawn(file, args, {
      cwd: this.spec.cwd ?? this.#scope.dir,
      // A session of its own: Ctrl-C must not reach it before the harness has decided what to do.
      detached: true,
      stdio: ['ignore', output, output],
      env: {
        ...process.env,
        PATH: searchPath().join(delimiter),
        ...this.spec.env,
        [OWNER_VARIABLE]: this.#scope.dir,
        [ROLE_VARIABLE]: this.spec.role,
      },
    });
    closeSync(output);
    this.#spawnError = undefined;
    child.once('error', (error) => {
      this.#spawnError = error;
    });
    // A forgotten cluster must not keep the test runner alive; the guard cleans up after it.
    child.unref();
    this.#child = child;
  }

  #commandLine(): string[] {
    return [...(this.spec.prefix?.() ?? []), this.spec.file, ...this.spec.args];
  }

  async ready(): Promise<void> {
    const { ready, role, readyTimeoutMs } = this.spec;
    await waitFor(`${role} to be ready`, ready ?? (async () => true), {
      timeoutMs: readyTimeoutMs ?? 60_000,
      abort: () => this.failure(),
      explain: () => this.tail(),
    });
  }

  /** Why it is not running any more, or undefined while it is. */
  failure(): Error | undefined {
    if (this.#spawnError) {
      return new Error(`${this.spec.file} cannot be started`, { cause: this.#spawnError });
    }
    // A child without a pid was never started; the error that says why arrives a moment later.
    const child = this.#child;
    if (this.running || child?.pid === undefined) return undefined;
    const { exitCode, signalCode } = child;
    const how = signalCode ?? `status ${exitCode ?? '?'}`;
    return new Error(`${this.spec.role} ended with ${how}\n${this.tail()}`);
  }

  signal(signal: NodeJS.Signals): void {
    const { pid } = this;
    if (pid !== undefined) signalProcess(pid, signal);
  }

  /** Sends the signal and waits until the process has ended. */
  async kill(signal: NodeJS.Signals = 'SIGKILL', timeoutMs = 20_000): Promise<void> {
    this.signal(signal);
    await waitFor(`${this.spec.role} to end`, () => !this.running, { timeoutMs, intervalMs: 10 });
  }

  /** Asks it to end, and ends it if it has not within `graceMs`. Repeatable. */
  async stop(graceMs = 5_000): Promise<void> {
    // A paused process would not see the wish.
    this.signal('SIGCONT');
    await this.kill('SIGTERM', graceMs).catch(() => this.kill('SIGKILL'));
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** The end of its log, for error texts. */
  tail(lines = 15): string {
    const end = readLog(this.log).trimEnd().split('\n').slice(-lines).join('\n');
    return `--- the end of ${this.log}\n${end}\n---`;
  }
}

function readLog(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '(nothing written)';
  }
}
