import type { Fit, PoolFit } from './filter.ts';
import { policies } from './policies/index.ts';

/** The scale of the extender protocol (MaxExtenderPriority of extender/v1). */
const maxScore = 10;

/**
 * Scores candidates 0..10, in their order.
 *
 * Every class of the pod rates the candidates by its own policy; each rating is stretched over
 * the candidates to 0..1, so that a small fast pool counts as much as a large slow one; the score
 * is their mean. Where no candidate is better than another, all get the same score.
 */
export function scoreFits(fits: readonly Fit[]): readonly number[] {
  const sums = fits.map(() => 0);
  const pools = fits[0] ?? [];
  pools.forEach((_, index) => {
    const ratings = fits.map((fit) => ratePool(fit[index]));
    stretch(ratings).forEach((rating, i) => {
      sums[i] = (sums[i] ?? 0) + rating;
    });
  });
  return sums.map((sum) => Math.round((maxScore * sum) / Math.max(1, pools.length)));
}

/** The policy of the pool's first need decides: one pool is served by one class as a rule. */
function ratePool(fit: PoolFit | undefined): number {
  const placement = fit?.needs[0]?.placement;
  return fit && placement ? policies[placement](fit.room.free - fit.needed) : 0;
}

function stretch(ratings: readonly number[]): readonly number[] {
  const least = ratings.reduce((a, b) => Math.min(a, b), Infinity);
  const span = ratings.reduce((a, b) => Math.max(a, b), -Infinity) - least;
  return ratings.map((rating) => (span === 0 ? 1 : (rating - least) / span));
}
