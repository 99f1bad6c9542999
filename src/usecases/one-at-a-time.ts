/** Runs what it is given one after the other, in the order of the calls. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

export function oneAtATime(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work);
    // The next in line waits for the end of this one, however it ends.
    last = turn.catch(() => undefined);
    return turn;
  };
}

/** A row for each key; one that nobody waits in any more is forgotten. */
export function rowPerKey(): (key: string) => InTurn {
  const rows = new Map<string, { readonly inTurn: InTurn; waiting: number }>();
  return (key) => async (work) => {
    const row = rows.get(key) ?? { inTurn: oneAtATime(), waiting: 0 };
    rows.set(key, row);
    row.waiting += 1;
    try {
      return await row.inTurn(work);
    } finally {
      row.waiting -= 1;
      if (row.waiting === 0) {
        rows.delete(key);
      }
    }
  };
}

/**
 * Lets callers that come while `look` is running share its next run, so that a hundred of them
 * cost two. What a caller gets was always looked up after it asked.
 */
export function sharedLook<T>(look: () => Promise<T>): () => Promise<T> {
  const inTurn = oneAtATime();
  let next: Promise<T> | undefined;
  return () => {
    next ??= inTurn(() => {
      next = undefined;
      return look();
    });
    return next;
  };
}
