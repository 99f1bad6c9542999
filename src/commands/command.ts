import { readSettings, type SettingTable, type SettingValues } from '../config/settings.ts';

/** What a command gets from the process it runs in; nothing else of it is read. */
export interface Surroundings {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly out: (text: string) => void;
  /** Fires when the process is asked to end. */
  readonly signal: AbortSignal;
}

/** One word of the command line. */
export interface Command {
  /** One line for `berth --help`. */
  readonly summary: string;
  readonly settings: SettingTable;
  /** Resolves when the work is done, or the signal has fired and all is put away. */
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

/** The settings of a command. @throws UsageError with every mistake on a line of its own */
export function settingsOf<T extends SettingTable>(
  table: T,
  { args, env }: Surroundings,
): SettingValues<T> {
  const values = readSettings(table, args, env);
  if (!values.ok) {
    throw new UsageError(values.error.join('\n  '));
  }
  return values.value;
}
