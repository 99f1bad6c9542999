import { spawn } from 'node:child_process';
import { delimiter } from 'node:path';

import { searchPath } from './paths.ts';

export interface CommandOptions {
  input?: string;
  /** Added to the environment of this process. */
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  timeoutMs?: number;
}

export class CommandError extends Error {
  override name = 'CommandError';
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;

  constructor(command: string, result: CommandResult) {
    const how =
      result.code === null ? `was ended by ${String(result.signal)}` : `ended with ${result.code}`;
    super(`${command} ${how}: ${result.stderr.trim() || result.stdout.trim()}`);
    this.code = result.code;
    this.stdout = result.stdout;
    this.stderr = result.stderr;
  }
}

interface CommandResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end and returns what it printed. Throws CommandError unless it ends with 0. */
export async function runCommand(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const result = await execute(file, args, options);
  if (result.code !== 0) {
    throw new CommandError(`${file} ${args.join(' ')}`, result);
  }
  return result.stdout;
}

function execute(
  file: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const { promise, resolve, reject } = promiseParts<CommandResult>();
  const child = spawn(file, args, {
    env: { ...process.env, PATH: searchPath().join(delimiter), ...options.env },
    cwd: options.cwd,
    timeout: options.timeoutMs ?? 120_000,
    killSignal: 'SIGKILL',
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  child.on('error', reject);
  // A program that ends without reading its input makes the write fail; its exit code tells more.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  child.on('close', (code, signal) =>
    resolve({ code, signal, stdout: text(stdout), stderr: text(stderr) }),
  );
  return promise;
}

function promiseParts<T>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (reason: Error) => void;
} {
  let resolve!: (value: T) => void;
  let reject!: (reason: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

function text(chunks: Buffer[]): string {
  return Buffer.concat(chunks).toString('utf8');
}
