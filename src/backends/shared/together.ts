import type { Result } from '../../model/result.ts';
import type { InTurn } from '../../usecases/one-at-a-time.ts';

/** What came of each wish. */
export type Outcomes<W, R> = ReadonlyMap<W, Result<R, unknown>>;

export interface Serving<W, R> {
  readonly inTurn: InTurn;
  /** What no two wishes that are served together have in common. */
  readonly nameOf: (wish: W) => string;
  /** @throws Error that every wish ends with */
  readonly serve: (wishes: readonly W[]) => Promise<Outcomes<W, R>>;
}

/** Serves what is wished for while the row is at work together, in its next turn. */
export function together<W, R>({ inTurn, nameOf, serve }: Serving<W, R>): (wish: W) => Promise<R> {
  let waiting: W[] = [];
  let next: Promise<Outcomes<W, R>> | undefined;

  async function serveAll(wishes: readonly W[]): Promise<Outcomes<W, R>> {
    // Who asks for the same as another one finds it made.
    const isRepeated = (wish: W, index: number): boolean =>
      wishes.findIndex((each) => nameOf(each) === nameOf(wish)) < index;
    const repeated = wishes.filter(isRepeated);
    const outcomes = await serve(wishes.filter((wish) => !repeated.includes(wish)));
    return repeated.length === 0 ? outcomes : new Map([...outcomes, ...(await serveAll(repeated))]);
  }

  return async (wish) => {
    waiting.push(wish);
    next ??= inTurn(() => {
      const wishes = waiting;
      waiting = [];
      next = undefined;
      return serveAll(wishes);
    });
    const outcome = (await next).get(wish);
    if (outcome?.ok !== true) {
      throw outcome?.error;
    }
    return outcome.value;
  };
}
