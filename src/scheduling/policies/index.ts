import type { Placement } from '../../model/storage-class.ts';
import { pack } from './pack.ts';
import { spread } from './spread.ts';

/**
 * Rates a node that already passed the filter by the bytes its pool keeps once the pod's volumes
 * are placed. Only the order of ratings matters: they are compared with those of the other
 * candidates.
 */
export type PlacementPolicy = (leftAfter: number) => number;

/** Every policy that a storage class can name in `placement`. */
export const policies: Readonly<Record<Placement, PlacementPolicy>> = { pack, spread };
