import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

import { ownCommand } from './own-command.ts';

/**
 * Waits on a pipe for the word that the harness took care of the cluster itself. If the pipe closes without it,
 * the harness is gone, by whatever death, and the cluster is torn down from here.
 */
const GUARD = 'read -r word; [ "$word" = done ] || exec "$@" >/dev/null 2>&1';

/** Sees to it that a cluster does not outlive the process that started it, not even one that was killed. */
export class Guard {
  readonly #child: ChildProcess;

  constructor(clusterName: string) {
    const down = ownCommand(['down', '--name', clusterName]);
    this.#child = spawn('/bin/sh', ['-c', GUARD, 'sh', ...down], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#child.unref();
    // It may be killed before us, e.g. with everything else at a shutdown; then there is no one to tell.
    this.#child.stdin?.on('error', () => undefined);
  }

  /** Ends the guard without a tear-down. Repeatable. */
  async release(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    // Or this process could end of its own accord while it waits, having nothing else to do.
    this.#child.ref();
    const exited = once(this.#child, 'exit');
    this.#child.stdin?.end('done\n');
    await exited;
  }
}

const closers = new Set<() => Promise<void>>();
let listening = false;

/** Runs `close` when somebody interrupts this process, before it ends. The result takes it back. */
export function onInterrupt(close: () => Promise<void>): () => void {
  closers.add(close);
  if (!listening) {
    listening = true;
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
      ['SIGHUP', 129],
    ] as const) {
      process.on(signal, () => void closeAll(signal, code));
    }
  }
  return () => void closers.delete(close);
}

async function closeAll(signal: string, code: number): Promise<void> {
  if (closers.size === 0) {
    // Whoever else listens decides; nobody would, if it were not for this listener.
    if (process.listenerCount(signal) === 1) process.exit(code);
    return;
  }
  process.stderr.write(`\n${signal}: stopping ${closers.size} cluster(s)\n`);
  // What fails here is left to the guards, which try again once this process is gone.
  await Promise.allSettled([...closers].map((close) => close()));
  process.exit(code);
}
