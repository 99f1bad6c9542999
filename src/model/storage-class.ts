import { encryptionNames, parseEncryption, type VolumeEncryption } from './encryption.ts';
import { ioLimitNames, parseIoLimits, type IoLimits } from './io-limits.ts';
import { poolNamePattern } from './names.ts';
import { parseMkfsOptions } from './mkfs-options.ts';
import { isOnNodeLost, keepOnNodeLost, onNodeLostAllowed, type OnNodeLost } from './node-loss.ts';
import { err, ok, type Result } from './result.ts';
import { erasePolicies, fsTypes, type ErasePolicy, type FsType } from './volume.ts';

export const placements = ['spread', 'pack'] as const;
export type Placement = (typeof placements)[number];

/** What a storage class of ours asks for each of its volumes. */
export interface ClassParameters {
  readonly pool: string;
  readonly placement: Placement;
  readonly fsType: FsType;
  readonly erase: ErasePolicy;
  readonly onNodeLost: OnNodeLost;
  /** The same words, for a disk that fails. */
  readonly onDiskFailure: OnNodeLost;
  readonly ioLimits?: IoLimits | undefined;
  /** Words for the mkfs program; missing where kubelet makes the filesystem. */
  readonly mkfsOptions?: readonly string[] | undefined;
  /** Missing where volumes are not encrypted. */
  readonly encryption?: VolumeEncryption | undefined;
}

const known = [
  ...['pool', 'placement', 'fsType', 'mkfsOptions', 'erase', 'onNodeLost', 'onDiskFailure'],
  ...ioLimitNames,
  ...encryptionNames,
];

/**
 * Reads `StorageClass.parameters`.
 *
 * @returns the parameters, or one text with every mistake: parameter, value and what is allowed
 */
export function parseClassParameters(
  given: Readonly<Record<string, string>>,
): Result<ClassParameters, string> {
  const mistakes: string[] = [];
  const take = <T extends string>(name: string, allowed: readonly T[], fallback: T): T => {
    const value = given[name] ?? fallback;
    if ((allowed as readonly string[]).includes(value)) {
      return value as T;
    }
    mistakes.push(`${name} is "${value}": allowed are ${allowed.join(', ')}`);
    return fallback;
  };
  const placement = take('placement', placements, 'spread');
  const fsType = take('fsType', fsTypes, 'ext4');
  const erase = take('erase', erasePolicies, 'discard');
  const takeLoss = (name: string): OnNodeLost => {
    const value = given[name] ?? keepOnNodeLost;
    if (!isOnNodeLost(value)) {
      mistakes.push(`${name} is "${value}": allowed are ${onNodeLostAllowed}`);
    }
    return value;
  };
  const onNodeLost = takeLoss('onNodeLost');
  const onDiskFailure = takeLoss('onDiskFailure');
  const pool = given['pool'] ?? '';
  if (!poolNamePattern.test(pool)) {
    mistakes.push(`pool is "${pool}": the name of a StoragePool is required`);
  }
  const limits = parseIoLimits(given, mistakes);
  const mkfs = takeMkfsOptions(fsType, given['mkfsOptions'], mistakes);
  const encryption = parseEncryption(given, mistakes);
  mistakes.push(...unknownNames(given));
  return mistakes.length > 0
    ? err(mistakes.join('; '))
    : ok({
        pool,
        placement,
        fsType,
        erase,
        onNodeLost,
        onDiskFailure,
        ...limits,
        ...mkfs,
        ...encryption,
      });
}

function takeMkfsOptions(
  fsType: FsType,
  text: string | undefined,
  mistakes: string[],
): Pick<ClassParameters, 'mkfsOptions'> {
  const options = text === undefined ? undefined : parseMkfsOptions(fsType, text);
  if (options?.ok === false) {
    mistakes.push(options.error);
  }
  return options?.ok ? { mkfsOptions: options.value } : {};
}

function unknownNames(given: Readonly<Record<string, string>>): string[] {
  return Object.keys(given)
    .filter((name) => !known.includes(name) && !name.startsWith('csi.storage.k8s.io/'))
    .map((name) => `${name} is not a parameter: allowed are ${known.join(', ')}`);
}
