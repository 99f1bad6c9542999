import { parseArgs } from 'node:util';
import { err, ok, type Result } from '../model/result.ts';

/** One setting: a flag `--name`, or the environment variable `BERTH_NAME`. The flag wins. */
export interface Setting<T> {
  readonly help: string;
  /** What stands for the value in the help, such as `<port>`. */
  readonly shown: string;
  /** The text of the default; a setting without one is required. */
  readonly fallback?: string;
  /** Flags of this kind take no value: `--name` alone means `true`. */
  readonly isSwitch?: boolean;
  readonly parse: (text: string) => Result<T, string>;
}

export type SettingTable = Readonly<Record<string, Setting<unknown>>>;

export type SettingValues<T extends SettingTable> = {
  readonly [K in keyof T]: T[K] extends Setting<infer V> ? V : never;
};

/** `listenPort` becomes `--listen-port`. */
function flagName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `listenPort` becomes `BERTH_LISTEN_PORT`. */
function variableName(name: string): string {
  return `BERTH_${flagName(name).replaceAll('-', '_').toUpperCase()}`;
}

/**
 * Reads all settings of a command from its flags and the environment.
 *
 * @returns the values, or every mistake at once, each naming the setting, its value and what is
 * allowed
 */
export function readSettings<T extends SettingTable>(
  table: T,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Result<SettingValues<T>, readonly string[]> {
  const given = readFlags(table, args);
  if (!given.ok) {
    return err([given.error]);
  }
  const mistakes: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(table)) {
    const flag = given.value[flagName(name)];
    const text = flag ?? env[variableName(name)] ?? setting.fallback;
    const from = flag === undefined ? variableName(name) : `--${flagName(name)}`;
    if (text === undefined) {
      mistakes.push(`--${flagName(name)} (or ${variableName(name)}) is missing: ${setting.help}`);
      continue;
    }
    const value = setting.parse(text);
    if (value.ok) {
      values[name] = value.value;
    } else {
      mistakes.push(`${from} is "${text}": ${value.error}`);
    }
  }
  return mistakes.length > 0 ? err(mistakes) : ok(values as SettingValues<T>);
}

function readFlags(
  table: SettingTable,
  args: readonly string[],
): Result<Readonly<Record<string, string | undefined>>, string> {
  const options = Object.fromEntries(
    Object.entries(table).map(([name, { isSwitch }]) => [
      flagName(name),
      { type: isSwitch ? ('boolean' as const) : ('string' as const) },
    ]),
  );
  try {
    const { values } = parseArgs({ args: [...args], options, strict: true });
    const texts = Object.entries(values).map(([flag, value]) => [flag, String(value)]);
    return ok(Object.fromEntries(texts) as Record<string, string>);
  } catch (error) {
    return err((error as Error).message);
  }
}

/** One line per setting, for `--help`. */
export function describeSettings(table: SettingTable): string {
  return Object.entries(table)
    .map(([name, { help, shown, fallback }]) => {
      const left = `  --${flagName(name)} ${shown}`.trimEnd();
      const usual = fallback === undefined ? 'required' : `default ${fallback || 'none'}`;
      return `${left.padEnd(38)} ${help} (${usual}; ${variableName(name)})`;
    })
    .join('\n');
}
