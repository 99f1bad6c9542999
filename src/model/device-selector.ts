import type { Bytes } from './bytes.ts';
import type { Disk } from './disk.ts';
import { parseQuantity } from './quantity.ts';
import { err, ok, type Result } from './result.ts';
import { shown } from './shown.ts';

/**
 * Which disks of a node a pool may take: those that every given condition holds for. Lists hold
 * patterns in which `*` stands for any text; one of them has to fit.
 */
export interface DeviceSelector {
  readonly ids?: readonly string[] | undefined;
  /** Against the path of the disk and all its links. */
  readonly paths?: readonly string[] | undefined;
  readonly models?: readonly string[] | undefined;
  readonly transports?: readonly string[] | undefined;
  readonly rotational?: boolean | undefined;
  readonly minSize?: Bytes | undefined;
  readonly maxSize?: Bytes | undefined;
}

const lists = ['ids', 'paths', 'models', 'transports'] as const;
const sizes = ['minSize', 'maxSize'] as const;
const known: readonly string[] = [...lists, ...sizes, 'rotational'];
/** Sorts of devices that are disks without anybody saying so. */
const plainTypes = ['disk', 'mpath'];

/** @returns the selector, or every mistake: field, value and what is allowed */
export function parseDeviceSelector(source: unknown): Result<DeviceSelector, string> {
  if (typeof source !== 'object' || source === null || Array.isArray(source)) {
    return err(`devices is ${shown(source)}: an object with ${known.join(', ')} is allowed`);
  }
  const given = Object.entries(source).filter(([, value]) => value !== undefined);
  if (given.length === 0) {
    return err(`devices is empty: at least one of ${known.join(', ')} is required`);
  }
  const read = given.map(([field, value]) => [field, readField(field, value)] as const);
  const mistakes = read.flatMap(([, each]) => (each.ok ? [] : [`devices.${each.error}`]));
  const selector = Object.fromEntries(
    read.flatMap(([field, each]) => (each.ok ? [[field, each.value]] : [])),
  ) as DeviceSelector;
  if ((selector.minSize ?? 0) > (selector.maxSize ?? Infinity)) {
    mistakes.push('devices.minSize is above devices.maxSize: no disk can have such a size');
  }
  return mistakes.length > 0 ? err(mistakes.join('; ')) : ok(selector);
}

function readField(field: string, value: unknown): Result<unknown, string> {
  if (!known.includes(field)) {
    return err(`${field} is not known: allowed are ${known.join(', ')}`);
  }
  if (field === 'rotational') {
    return typeof value === 'boolean'
      ? ok(value)
      : err(`rotational is ${shown(value)}: true or false is allowed`);
  }
  if ((sizes as readonly string[]).includes(field)) {
    const size = parseQuantity(String(value));
    return size.ok ? size : err(`${field}: ${size.error}`);
  }
  const isList = Array.isArray(value) && value.length > 0;
  return isList && value.every((each) => typeof each === 'string' && each !== '')
    ? ok(value)
    : err(`${field} is ${shown(value)}: a list of one or more texts is allowed`);
}

/** Whether it is a disk without anybody saying so. */
export function isPlainDisk({ type }: Disk): boolean {
  return plainTypes.includes(type);
}

/**
 * Whether the selector names the disk. Loop devices and the like are named only by a path or an
 * id of their own: no other condition ever means them.
 */
export function selectsDisk(selector: DeviceSelector, disk: Disk): boolean {
  const { ids, paths, models, transports } = selector;
  const isMeant = isPlainDisk(disk) || ids !== undefined || paths !== undefined;
  const conditions: readonly [readonly string[] | undefined, readonly (string | undefined)[]][] = [
    [ids, [disk.id]],
    [paths, [disk.path, ...disk.links]],
    [models, [disk.model]],
    [transports, [disk.transport]],
  ];
  return isMeant && conditions.every(([wanted, has]) => fits(wanted, has)) && isSo(selector, disk);
}

/** Whether it names this path, or the id of a device that has nothing but its path. */
export function namesPath({ ids, paths }: DeviceSelector, path: string): boolean {
  const isNamed = (patterns: readonly string[] = [], text: string): boolean =>
    patterns.some((pattern) => matches(pattern, text));
  return isNamed(paths, path) || isNamed(ids, `path-${path}`);
}

function isSo({ rotational, minSize, maxSize }: DeviceSelector, disk: Disk): boolean {
  return (
    (rotational ?? disk.rotational) === disk.rotational &&
    disk.bytes >= (minSize ?? 0) &&
    disk.bytes <= (maxSize ?? Infinity)
  );
}

function fits(
  patterns: readonly string[] | undefined,
  texts: readonly (string | undefined)[],
): boolean {
  return (
    patterns === undefined ||
    patterns.some((pattern) => texts.some((text) => matches(pattern, text ?? '')))
  );
}

/** `*` stands for any text, everything else for itself. */
function matches(pattern: string, text: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(text);
}
