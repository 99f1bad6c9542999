import { isAbsolute, normalize } from 'node:path';
import { err, ok, type Result } from '../../model/result.ts';
import { shown } from '../../model/shown.ts';

/** Reading the options of a backend: every mistake names the field, its value and what is allowed. */

type Fields = Readonly<Record<string, unknown>>;

export function parseObject(
  field: string,
  source: unknown,
  required: readonly string[],
): Result<Fields, string> {
  const needs = required.length > 0 ? ` with ${required.join(' and ')}` : '';
  return typeof source === 'object' && source !== null && !Array.isArray(source)
    ? ok(source as Fields)
    : err(`${field} is ${shown(source)}: an object${needs} is required`);
}

/** @returns a mistake per field that nobody knows */
export function unknownFields(
  field: string,
  fields: Fields,
  known: readonly string[],
): readonly string[] {
  const allowed = known.length > 0 ? `allowed are ${known.join(', ')}` : 'none is allowed';
  return Object.keys(fields)
    .filter((name) => fields[name] !== undefined && !known.includes(name))
    .map((name) => `${field}.${name} is not known: ${allowed}`);
}

/** A place on the node that cannot be anything but what it looks like. */
export function parseDirectory(field: string, value: unknown): Result<string, string> {
  const path = typeof value === 'string' ? value.replace(/\/$/, '') : '';
  const isPlain = isAbsolute(path) && normalize(path) === path && !path.includes('\0');
  return isPlain && path !== '/'
    ? ok(path)
    : err(
        `${field} is ${shown(value)}: an absolute path below / and without "." and ".." is required, such as /var/lib/berth/fast`,
      );
}

export function takesNoDevices(backend: string): Result<never, string> {
  return err(
    `devices is set: backend ${backend} keeps its volumes in ${backend}.directory and takes no disks`,
  );
}
