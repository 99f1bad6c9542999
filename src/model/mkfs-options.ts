import { err, ok, type Result } from './result.ts';
import { shown } from './shown.ts';
import type { FsType } from './volume.ts';

/**
 * What follows an option: nothing, a number, a list of names, or a list of these sub-options,
 * each alone or with a value.
 */
type Operand = 'nothing' | 'number' | 'names' | readonly string[];

/**
 * Every option that a class may give, and no other. Not among them, and never to be: options that
 * name a device, a file or a folder, that put the filesystem elsewhere on the device or make it
 * smaller, that write none at all, that force, and UUIDs and labels, which all volumes of a class would share.
 */
const allowed: Readonly<Record<FsType, Readonly<Record<string, Operand>>>> = {
  ext4: {
    '-b': 'number',
    '-C': 'number',
    '-E': [
      ...['lazy_itable_init', 'lazy_journal_init', 'discard', 'nodiscard', 'resize'],
      ...['stride', 'stripe_width', 'packed_meta_blocks', 'num_backup_sb', 'mmp_update_interval'],
      ...['root_owner', 'root_perms', 'quotatype', 'encoding', 'encoding_flags'],
    ],
    '-G': 'number',
    '-I': 'number',
    '-J': ['size', 'fast_commit_size'],
    '-N': 'number',
    '-O': 'names',
    '-T': 'names',
    '-g': 'number',
    '-i': 'number',
    '-m': 'number',
  },
  xfs: {
    '-K': 'nothing',
    '-b': ['size'],
    '-d': ['agcount', 'agsize', 'su', 'sw', 'sunit', 'swidth', 'noalign'],
    '-i': ['size', 'maxpct', 'perblock', 'sparse', 'nrext64'],
    '-l': ['size', 'version', 'su', 'sunit', 'lazy-count'],
    '-m': ['crc', 'finobt', 'rmapbt', 'reflink', 'inobtcount', 'bigtime'],
    '-n': ['size', 'version', 'ftype'],
    '-s': ['size'],
  },
  btrfs: {
    '--checksum': 'names',
    '--csum': 'names',
    '--data': 'names',
    '--features': 'names',
    '--metadata': 'names',
    '--mixed': 'nothing',
    '--nodesize': 'number',
    '--nodiscard': 'nothing',
    '--runtime-features': 'names',
    '--sectorsize': 'number',
    '-K': 'nothing',
    '-M': 'nothing',
    '-O': 'names',
    '-R': 'names',
    '-d': 'names',
    '-m': 'names',
    '-n': 'number',
    '-s': 'number',
  },
};

const longest = 1024;
const wordPattern = /^[A-Za-z0-9.,=:^_-]+$/;
const numberPattern = /^\d+(\.\d+)?[kKmMgGtT]?$/;
const namePattern = /^\^?[a-z0-9][a-z0-9_-]*$/;

/**
 * Reads the options for mkfs of a class: words with blanks between them. There is no shell, so
 * nothing is quoted, and a value is a word of its own.
 *
 * @returns the words, or the first mistake: the word and what is allowed
 */
export function parseMkfsOptions(fsType: FsType, text: string): Result<readonly string[], string> {
  const words = text.split(' ').filter((word) => word !== '');
  const why = text.length > longest ? tooLong : whyNotMkfsOptions(fsType, words);
  return why === undefined ? ok(words) : err(`mkfsOptions: ${why}`);
}

const tooLong = `at most ${longest} characters are allowed`;

/** Why these words are not handed to the mkfs program of a filesystem; nothing where they are. */
export function whyNotMkfsOptions(fsType: FsType, words: readonly string[]): string | undefined {
  const strange = words.find((word) => !wordPattern.test(word));
  if (strange !== undefined) {
    return `${shown(strange)} has other characters than letters, digits and . , = : ^ _ -`;
  }
  if (words.length === 0) {
    return `it is empty: ${allowedFor(fsType)}`;
  }
  for (let at = 0; at < words.length;) {
    const [option = '', value] = words.slice(at);
    const operand = operandOf(fsType, option);
    if (operand === undefined) {
      return `${shown(option)} is not an option that may be given: ${allowedFor(fsType)}`;
    }
    const why = operand === 'nothing' ? undefined : whyNotValue(option, value, operand);
    if (why !== undefined) {
      return why;
    }
    at += operand === 'nothing' ? 1 : 2;
  }
  return undefined;
}

function operandOf(fsType: FsType, option: string): Operand | undefined {
  return Object.entries(allowed[fsType]).find(([name]) => name === option)?.[1];
}

function allowedFor(fsType: FsType): string {
  return `allowed for ${fsType} are ${Object.keys(allowed[fsType]).join(', ')}, each with its value as the next word`;
}

function whyNotValue(
  option: string,
  value: string | undefined,
  operand: Exclude<Operand, 'nothing'>,
): string | undefined {
  if (value === undefined) {
    return `${option} needs a value, as the next word`;
  }
  if (operand === 'number') {
    return numberPattern.test(value)
      ? undefined
      : `${option} has the value ${shown(value)}: a number is allowed, with k, m, g or t for its unit`;
  }
  const parts = value.split(',');
  if (operand === 'names') {
    const wrong = parts.find((part) => !namePattern.test(part));
    return wrong === undefined
      ? undefined
      : `${option} has the value ${shown(value)}: names are allowed, with commas between them`;
  }
  const wrong = parts.find((part) => !operand.includes(part.split('=')[0] ?? ''));
  return wrong === undefined
    ? undefined
    : `${option} has ${shown(wrong)}: allowed are ${operand.join(', ')}, with commas between them`;
}
