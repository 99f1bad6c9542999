import {
  deviceCleanings,
  discoveryBackend,
  filesystemCleanings,
  type DiscoveryPlan,
} from '../model/discovery.ts';
import { parseGlob } from '../model/glob.ts';
import { err, ok, type Result } from '../model/result.ts';
import { shown } from '../model/shown.ts';
import { parseDirectory, parseObject, unknownFields } from './shared/options.ts';

/** A pool of this kind as admission knows it: what of it can never change. */
export interface DeclaredDiscovery {
  readonly backend: typeof discoveryBackend;
  readonly source: string;
  readonly plan: DiscoveryPlan;
}

type Fields = Readonly<Record<string, unknown>>;

const known = [
  ...['directory', 'namePattern', 'storageClassName', 'volumeMode', 'fsType', 'mountOptions'],
  ...['clean', 'takeOver'],
];
const notForFound = ['devices', 'reserve', 'maxVolumes', 'orphans'];
const volumeModes = ['Filesystem', 'Block'] as const;
const classPattern = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const wordPattern = /^[a-z0-9]{1,32}$/;

export function isDiscoverySpec(spec: unknown): boolean {
  return (spec as Fields | undefined)?.['backend'] === discoveryBackend;
}

/**
 * Reads the spec of a StoragePool of the backend `discovery`.
 *
 * @returns what it means, or every mistake: field, value and what is allowed
 */
export function parseDiscoverySpec(spec: unknown): Result<DeclaredDiscovery, string> {
  const all = (spec ?? {}) as Fields;
  const object = parseObject('discovery', all['discovery'], ['directory', 'storageClassName']);
  if (!object.ok) {
    return object;
  }
  const fields = object.value;
  const mistakes: string[] = [
    ...unknownFields('discovery', fields, known),
    ...notForFound.flatMap((field) => (all[field] === undefined ? [] : [notHere(field)])),
  ];
  const take = <T>(result: Result<T, string>, otherwise: T): T => {
    if (!result.ok) {
      mistakes.push(result.error);
      return otherwise;
    }
    return result.value;
  };
  const clean = (fields['clean'] ?? {}) as Fields;
  mistakes.push(...unknownFields('discovery.clean', clean, ['filesystem', 'device']));
  const plan: DiscoveryPlan = {
    directory: take(parseDirectory('discovery.directory', fields['directory']), ''),
    namePattern: take(pattern(fields['namePattern'] ?? '*'), '*'),
    storageClassName: take(
      matching('storageClassName', fields['storageClassName'], classPattern),
      '',
    ),
    volumeMode: take(oneOf('volumeMode', fields['volumeMode'], volumeModes), 'Filesystem'),
    fsType: take(
      optional(fields['fsType'], (value) => matching('fsType', value, wordPattern)),
      '',
    ),
    mountOptions: take(optional(fields['mountOptions'], options), []),
    clean: {
      filesystem: take(
        oneOf('clean.filesystem', clean['filesystem'], filesystemCleanings),
        'delete',
      ),
      device: take(oneOf('clean.device', clean['device'], deviceCleanings), 'discard'),
    },
    takeOver: take(oneOf('takeOver', fields['takeOver'], [false, true]), false),
  };
  return mistakes.length === 0
    ? ok({ backend: discoveryBackend, source: plan.directory, plan })
    : err(mistakes.join('; '));
}

function notHere(field: string): string {
  return `${field} is set: backend ${discoveryBackend} offers whole media as it finds them, and has no ${field}`;
}

function optional<T>(
  value: unknown,
  read: (value: unknown) => Result<T, string>,
): Result<T | undefined, string> {
  return value === undefined ? ok(undefined) : read(value);
}

function oneOf<T>(field: string, value: unknown, allowed: readonly T[]): Result<T, string> {
  const found = allowed.find((each) => each === (value ?? allowed[0]));
  return found === undefined
    ? err(`discovery.${field} is ${shown(value)}: allowed are ${allowed.join(', ')}`)
    : ok(found);
}

function matching(field: string, value: unknown, allowed: RegExp): Result<string, string> {
  return typeof value === 'string' && allowed.test(value)
    ? ok(value)
    : err(`discovery.${field} is ${shown(value)}: ${String(allowed)} is required`);
}

function pattern(value: unknown): Result<string, string> {
  return typeof value === 'string' && value !== '' && parseGlob(value)
    ? ok(value)
    : err(
        `discovery.namePattern is ${shown(value)}: a pattern for names such as "nvme*" is allowed`,
      );
}

function options(value: unknown): Result<readonly string[], string> {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
    ? ok(value)
    : err(`discovery.mountOptions is ${shown(value)}: a list of texts is allowed`);
}
