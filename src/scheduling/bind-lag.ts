/** A hold lasts at least so long: the bind mostly comes within some milliseconds. */
const leastMs = 1_000;
/** And at most so long: a pod that fits nowhere else waits three times this in a filter. */
const mostMs = 3_000;
/** How many times the usual lag is waited for a bind. */
const margin = 3;
/** What is left of an earlier lag with each bind that comes. */
const fading = 0.9;
/** A bind that comes later tells nothing of the scheduler's speed. */
const forgottenMs = 60_000;

/**
 * How long it takes kube-scheduler from a pod's filter to its bind. On a machine that is busy a hold that always lasted
 * the same would lapse before the bind has come, and its room would be given to the next pod.
 *
 *     holdMs = margin x the longest lag of late, between leastMs and mostMs
 */
export class BindLag {
  readonly #filteredAt = new Map<string, number>();
  #longest = 0;

  /** How long a pod that is filtered now should hold its room. */
  get holdMs(): number {
    return Math.min(mostMs, Math.max(leastMs, margin * this.#longest));
  }

  filtered(podUid: string, now: number): void {
    this.#forget(now);
    // The map is in the order of time.
    this.#filteredAt.delete(podUid);
    this.#filteredAt.set(podUid, now);
  }

  bindCame(podUid: string, now: number): void {
    const since = this.#filteredAt.get(podUid);
    if (since !== undefined) {
      this.#filteredAt.delete(podUid);
      this.#longest = Math.max(now - since, this.#longest * fading);
    }
  }

  #forget(now: number): void {
    for (const [podUid, at] of this.#filteredAt) {
      if (now - at < forgottenMs) {
        return;
      }
      this.#filteredAt.delete(podUid);
    }
  }
}
