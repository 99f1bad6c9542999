import { runCommand, type RunCommand } from '../../src/platform/run-command.ts';

export interface DyingRun {
  readonly run: RunCommand;
  /** Whether it has come to its end: with fewer steps nothing has died. */
  readonly died: () => boolean;
}

/**
 * Runs programs until the agent dies: before or after its n-th one, and none ever after. What the
 * code tries to put right on its way out is lost as well, as with a kill.
 */
export function dyingRun(steps: number, when: 'before' | 'after'): DyingRun {
  let count = 0;
  const run: RunCommand = async (...call) => {
    count += 1;
    if (count > steps || (count === steps && when === 'before')) {
      throw new Error('killed');
    }
    const said = await runCommand(...call);
    if (count === steps) {
      throw new Error('killed');
    }
    return said;
  };
  return { run, died: () => count >= steps };
}
