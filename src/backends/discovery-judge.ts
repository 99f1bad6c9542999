import type { FoundEntry } from '../usecases/discovery-ports.ts';
import { isSamePlace, overlap, type Extent } from './discovery-medium.ts';

/** An entry and where it lies. */
export interface Seen extends FoundEntry {
  readonly extent?: Extent | undefined;
}

/**
 * An entry as it is beside all others. Of two names of one medium the first counts. Two that share
 * a part of one, or a medium and its copy, are both refused: nobody can say whose it is.
 */
export function judged(entry: Seen, all: readonly Seen[]): FoundEntry {
  const { extent, ...found } = entry;
  if (extent === undefined || entry.refusal !== undefined) {
    return found;
  }
  const first = all.find((one) => one.extent && isSamePlace(one.extent, extent));
  if (first !== undefined && first !== entry) {
    return { ...found, id: undefined, refusal: `it is the same medium as ${first.path}` };
  }
  const others = all.filter((one) => one.extent && !isSamePlace(one.extent, extent));
  const shared = others.find((one) => one.extent && overlap(one.extent, extent));
  if (shared !== undefined) {
    return { ...found, refusal: `it shares its medium with ${shared.path}` };
  }
  const copy = others.find(({ id }) => id !== undefined && id === entry.id);
  return copy === undefined
    ? found
    : { ...found, refusal: `${copy.path} is known by the same name: one of them is a copy` };
}
