import type { Bytes } from '../model/bytes.ts';
import { err, ok, type Result } from '../model/result.ts';
import { parsePoolSize } from './shared/folder-options.ts';
import { parseDirectory, parseObject, unknownFields } from './shared/options.ts';

export interface BtrfsOptions {
  readonly directory: string;
  /** All that volumes may occupy together; nothing where only the filesystem limits it. */
  readonly limit: Bytes | undefined;
}

/** @returns the options, or every mistake: field, value and what is allowed */
export function parseBtrfsOptions(source: unknown): Result<BtrfsOptions, string> {
  const object = parseObject('btrfs', source, ['directory']);
  if (!object.ok) {
    return object;
  }
  const directory = parseDirectory('btrfs.directory', object.value['directory']);
  const limit = parsePoolSize('btrfs.size', object.value['size']);
  const unknown = unknownFields('btrfs', object.value, ['directory', 'size']);
  if (directory.ok && limit.ok && unknown.length === 0) {
    return ok({ directory: directory.value, limit: limit.value });
  }
  const wrong = [directory, limit].flatMap((each) => (each.ok ? [] : [each.error]));
  return err([...wrong, ...unknown].join('; '));
}
