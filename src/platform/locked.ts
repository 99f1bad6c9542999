import { CommandError, type RunCommand } from './run-command.ts';

/** See flock(1). */
const lockedByAnother = 75;

/**
 * Runs a program that writes to a device, and keeps a lock on the device for as long as it lives: one
 * that outlives a killed agent must not write into what the next agent makes.
 *
 * @throws Error while another such program is at work
 */
export async function runLocked(
  device: string,
  command: readonly string[],
  run: RunCommand,
  signal: AbortSignal,
): Promise<void> {
  const lock = ['--nonblock', '--conflict-exit-code', String(lockedByAnother), '--no-fork'];
  try {
    await run('flock', [...lock, device, ...command], signal);
  } catch (error) {
    if (error instanceof CommandError && error.exitCode === lockedByAnother) {
      throw new Error(`a program that an earlier agent has left still writes to ${device}`, {
        cause: error,
      });
    }
    throw error;
  }
}
