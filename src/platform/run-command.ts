import { execFile } from 'node:child_process';

/** A program that ended with a failure, or could not be started. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  /** The exit code, or nothing where the program did not run to its end. */
  readonly exitCode: number | undefined;
  readonly stderr: string;
  /** What it printed: some programs say with a failure what they have found. */
  readonly stdout: string;

  constructor(message: string, exitCode: number | undefined, stderr: string, stdout = '') {
    super(message);
    this.exitCode = exitCode;
    this.stderr = stderr;
    this.stdout = stdout;
  }
}

/**
 * Runs a program without a shell and waits for its end.
 *
 * @param input - what it reads; nothing where it reads nothing
 * @returns what it printed
 * @throws CommandError with the first lines of what it said
 */
export type RunCommand = (
  program: string,
  args: readonly string[],
  signal?: AbortSignal,
  input?: string | Uint8Array,
) => Promise<string>;

const maxOutput = 64 * 1024 * 1024;

export const runCommand: RunCommand = (program, args, signal, input) =>
  new Promise((resolve, reject) => {
    const options = { maxBuffer: maxOutput, signal, env: { ...process.env, LC_ALL: 'C' } };
    const child = execFile(program, [...args], options, (error, stdout, stderr) => {
      if (error === null) {
        resolve(stdout);
        return;
      }
      const said = stderr.trim().slice(0, 500) || error.message;
      const exitCode = typeof error.code === 'number' ? error.code : undefined;
      reject(new CommandError(`${program} ${args.join(' ')}: ${said}`, exitCode, stderr, stdout));
    });
    // One that has ended without reading all of it says so with its exit code.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
