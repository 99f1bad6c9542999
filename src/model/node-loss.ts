import { parseDuration } from './duration.ts';

/** What a class asks for when a node is lost: `keep`, or `release-after=<duration>`. */
export type OnNodeLost = string;

/** Waits for the node, and the data on it, for ever. */
export const keepOnNodeLost = 'keep';

const releasePrefix = 'release-after=';
const leastMs = 1_000;
const mostMs = 365 * 86_400_000;

export const onNodeLostAllowed = 'keep, release-after=<duration> from 1s to 365d, such as 10m';

/**
 * After which time the volume of a lost node is given up.
 *
 * @returns milliseconds, or nothing where it is kept. A text that cannot be read keeps it too:
 * data is never given up for a mistake in writing.
 */
export function releaseAfterMs(onNodeLost: OnNodeLost | undefined): number | undefined {
  if (onNodeLost?.startsWith(releasePrefix) !== true) {
    return undefined;
  }
  const ms = parseDuration(onNodeLost.slice(releasePrefix.length));
  return ms !== undefined && ms >= leastMs && ms <= mostMs ? ms : undefined;
}

export function isOnNodeLost(text: string): boolean {
  return text === keepOnNodeLost || releaseAfterMs(text) !== undefined;
}
