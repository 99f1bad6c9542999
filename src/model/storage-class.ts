import { poolNamePattern } from './names.ts';
import { err, ok, type Result } from './result.ts';
import { erasePolicies, fsTypes, type ErasePolicy, type FsType } from './volume.ts';

export const placements = ['spread', 'pack'] as const;
export type Placement = (typeof placements)[number];

/** What a storage class of ours asks for each of its volumes. */
export interface ClassParameters {
  readonly pool: string;
  readonly placement: Placement;
  readonly fsType: FsType;
  readonly mkfsOptions?: string | undefined;
  readonly erase: ErasePolicy;
  readonly onNodeLost: OnNodeLost;
}

/** `keep` waits for the node for ever; otherwise its volumes are given up after `releaseAfterMs`. */
export type OnNodeLost =
  { readonly kind: 'keep' } | { readonly kind: 'release'; readonly releaseAfterMs: number };

const known = ['pool', 'placement', 'fsType', 'mkfsOptions', 'erase', 'onNodeLost'];
/** Characters that options of mkfs need; none of them means anything to a shell. */
const mkfsOptionsPattern = /^[A-Za-z0-9 _.,:=^/+-]{0,200}$/;

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
  const onNodeLost = parseOnNodeLost(given['onNodeLost'] ?? 'keep');
  const pool = given['pool'] ?? '';
  if (!poolNamePattern.test(pool)) {
    mistakes.push(`pool is "${pool}": the name of a StoragePool is required`);
  }
  if (!onNodeLost.ok) {
    mistakes.push(onNodeLost.error);
  }
  mistakes.push(...mkfsMistakes(given['mkfsOptions']), ...unknownNames(given));
  if (mistakes.length > 0 || !onNodeLost.ok) {
    return err(mistakes.join('; '));
  }
  const mkfsOptions = given['mkfsOptions'];
  return ok({ pool, placement, fsType, mkfsOptions, erase, onNodeLost: onNodeLost.value });
}

function mkfsMistakes(options: string | undefined): string[] {
  return options === undefined || mkfsOptionsPattern.test(options)
    ? []
    : [`mkfsOptions is "${options}": up to 200 letters, digits, blanks and _.,:=^/+- are allowed`];
}

function unknownNames(given: Readonly<Record<string, string>>): string[] {
  return Object.keys(given)
    .filter((name) => !known.includes(name) && !name.startsWith('csi.storage.k8s.io/'))
    .map((name) => `${name} is not a parameter: allowed are ${known.join(', ')}`);
}

const durationUnits: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

function parseOnNodeLost(text: string): Result<OnNodeLost, string> {
  if (text === 'keep') {
    return ok({ kind: 'keep' });
  }
  const match = /^release-after=(\d{1,6})([smhd])$/.exec(text);
  const releaseAfterMs = Number(match?.[1]) * (durationUnits[match?.[2] ?? ''] ?? NaN);
  return releaseAfterMs > 0
    ? ok({ kind: 'release', releaseAfterMs })
    : err(`onNodeLost is "${text}": allowed are keep and release-after=<duration>, such as 10m`);
}
