/** Prefers the node that keeps the least room, so that large volumes still find a place later. */
export function pack(leftAfter: number): number {
  return -leftAfter;
}
