import { bytes, type Bytes } from './bytes.ts';

/**
 * The free pieces of a pool whose volumes cannot be joined from several: gaps between partitions,
 * or whole disks.
 */
export interface Pieces {
  /** From the biggest to the smallest; beyond `mostPieces` the smallest are left out. */
  readonly sizes: readonly Bytes[];
  /** A volume takes the whole of its piece, whatever it needs. */
  readonly whole: boolean;
}

/** An annotation has to stay small. */
export const mostPieces = 64;

/** The pieces as they are reported: in order, and not too many. */
export function piecesOf(sizes: readonly Bytes[], whole: boolean): Pieces {
  const sorted = [...sizes].filter((size) => size > 0).sort((a, b) => b - a);
  return { sizes: sorted.slice(0, mostPieces), whole };
}

/**
 * What is left when volumes of these sizes are put in, the biggest first, each into the smallest
 * piece that holds it: the way in which agents choose.
 *
 * @returns nothing where one of them finds no piece
 */
export function putInto(pieces: Pieces, needs: readonly number[]): Pieces | undefined {
  const sizes = [...pieces.sizes];
  for (const need of [...needs].sort((a, b) => b - a)) {
    const at = smallestThatHolds(sizes, need);
    if (at === undefined) {
      return undefined;
    }
    sizes[at] = pieces.whole ? bytes(0) : bytes((sizes[at] ?? 0) - need);
  }
  return piecesOf(sizes, pieces.whole);
}

/**
 * The same for volumes that are promised already. Where one finds no piece, nobody knows what its
 * agent will do: it then takes the biggest.
 */
export function putIntoSurely(pieces: Pieces, needs: readonly number[]): Pieces {
  let left = pieces;
  for (const need of [...needs].sort((a, b) => b - a)) {
    left = putInto(left, [need]) ?? piecesOf(left.sizes.slice(1), left.whole);
  }
  return left;
}

function smallestThatHolds(sizes: readonly number[], need: number): number | undefined {
  let best: number | undefined;
  sizes.forEach((size, index) => {
    if (size > 0 && size >= need && size < (sizes[best ?? -1] ?? Infinity)) {
      best = index;
    }
  });
  return best;
}
