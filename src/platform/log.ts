import { describeError } from '../model/errors.ts';
import type { Log } from '../usecases/ports.ts';

type Level = 'info' | 'warn' | 'error';

/** One JSON line per event on standard error: `{"time","level","event",...fields}`. */
export function jsonLog(role: string, write = (line: string) => process.stderr.write(line)): Log {
  const at =
    (level: Level) =>
    (event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      const time = new Date().toISOString();
      write(`${JSON.stringify({ time, level, role, event, ...fields }, readable)}\n`);
    };
  return { info: at('info'), warn: at('warn'), error: at('error') };
}

/** Errors have no enumerable properties; without this they would be logged as `{}`. */
function readable(_key: string, value: unknown): unknown {
  return value instanceof Error ? describeError(value) : value;
}
