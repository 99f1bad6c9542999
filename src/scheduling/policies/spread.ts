/** Prefers the node that keeps the most room, so that load and failures are spread. */
export function spread(leftAfter: number): number {
  return leftAfter;
}
