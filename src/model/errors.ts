/** A failure that will not pass by itself: it is reported and not tried again until something changes. */
export class PermanentError extends Error {
  override readonly name: string = 'PermanentError';
}

/** The pool cannot hold what was asked; trying again helps only when space became free. */
export class NoSpaceError extends PermanentError {
  override readonly name = 'NoSpaceError';
}

/** The text of anything that was thrown, with the texts of its causes. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  const cause = error.cause === undefined ? '' : `: ${describeError(error.cause)}`;
  return `${error.message}${cause}`;
}
