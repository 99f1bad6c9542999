import { readSettings, type SettingTable, type SettingValues } from '../config/settings.ts';

/** What a command gets from the process it runs in; nothing else of it is read. */
export interface Surroundings {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly out: (text: string) => void;
  /** Fires when the process is asked to end. */
  readonly signal: AbortSignal;
}

/**
 * What a command does. Resolves when the work is done, or the signal has fired and all is put
 * away.
 */
export type Run<T extends SettingTable> = (
  settings: SettingValues<T>,
  around: Surroundings,
) => Promise<void>;

/** One word of the command line. */
export interface Command {
  /** One line for `berth --help`. */
  readonly summary: string;
  readonly settings: SettingTable;
  readonly run: (around: Surroundings) => Promise<void>;
}

/** The command was called wrongly: its message is for the person who did, without a stack. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The command could not do what it was asked: its message says why, without a stack. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/**
 * A command whose code is loaded when it is called: no role carries the memory of the others.
 *
 * @throws UsageError with every mistake of the settings on a line of its own
 */
export function command<T extends SettingTable>(
  summary: string,
  settings: T,
  load: () => Promise<Run<T>>,
): Command {
  return {
    summary,
    settings,
    run: async (around) => {
      const values = readSettings(settings, around.args, around.env);
      if (!values.ok) {
        throw new UsageError(values.error.join('\n  '));
      }
      const run = await load();
      await run(values.value, around);
    },
  };
}
