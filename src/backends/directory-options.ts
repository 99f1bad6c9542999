import type { Bytes } from '../model/bytes.ts';
import { err, ok, type Result } from '../model/result.ts';
import { shown } from '../model/shown.ts';
import { parsePoolSize } from './shared/folder-options.ts';
import { parseDirectory, parseObject, unknownFields } from './shared/options.ts';

const enforcements = ['required', 'none'] as const;
/** Whether the filesystem has to keep volumes to their size, or nobody does. */
export type Enforcement = (typeof enforcements)[number];

export interface DirectoryOptions {
  readonly directory: string;
  /** All that volumes may occupy together; nothing where only the filesystem limits it. */
  readonly limit: Bytes | undefined;
  readonly enforcement: Enforcement;
}

/** @returns the options, or every mistake: field, value and what is allowed */
export function parseDirectoryOptions(source: unknown): Result<DirectoryOptions, string> {
  const object = parseObject('directory', source, ['directory']);
  if (!object.ok) {
    return object;
  }
  const fields = object.value;
  const directory = parseDirectory('directory.directory', fields['directory']);
  const enforcement = parseEnforcement(fields['enforcement']);
  const isAccountedOnly = enforcement.ok && enforcement.value === 'none';
  const limit =
    isAccountedOnly && fields['size'] === undefined
      ? err('directory.size is missing: with enforcement none a size such as 100Gi is required')
      : parsePoolSize('directory.size', fields['size']);
  const unknown = unknownFields('directory', fields, ['directory', 'size', 'enforcement']);
  if (directory.ok && limit.ok && enforcement.ok && unknown.length === 0) {
    return ok({ directory: directory.value, limit: limit.value, enforcement: enforcement.value });
  }
  const wrong = [directory, limit, enforcement].flatMap((each) => (each.ok ? [] : [each.error]));
  return err([...wrong, ...unknown].join('; '));
}

function parseEnforcement(value: unknown): Result<Enforcement, string> {
  const known = enforcements.find((each) => each === (value ?? enforcements[0]));
  return known === undefined
    ? err(`directory.enforcement is ${shown(value)}: allowed are ${enforcements.join(', ')}`)
    : ok(known);
}
