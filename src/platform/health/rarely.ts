import type { Finding } from '../../model/health.ts';

export interface RareAnswer {
  readonly findings: readonly Finding[];
  /** When to ask again: `soon` while something is wrong, `never` as long as it is the same thing. */
  readonly next: 'usual' | 'soon' | 'never';
}

/** Something that can be asked. */
export interface Asked {
  /** Another key is another thing, and asked at once. */
  readonly key: string;
  readonly isHinted: boolean;
  /** What cannot be told it gives no finding for. */
  readonly ask: () => Promise<RareAnswer>;
}

interface Standing {
  askedAt: number;
  next: RareAnswer['next'];
  isHinted: boolean;
}

const noAnswer: RareAnswer = { findings: [], next: 'usual' };

/** Of the usual time: after a hint, or while something is wrong. */
const soonPart = 1 / 12;

/**
 * Asks what it costs a program to know: at first, then after a long time, sooner after a hint. It
 * asks one thing after the other in the background.
 *
 * @returns what has been answered since the last call
 */
export function rarely(
  usualMs: number,
): (all: readonly Asked[], now: number) => readonly Finding[] {
  const standings = new Map<string, Standing>();
  let row = Promise.resolve();
  let answered: Finding[] = [];

  function isDue({ askedAt, next, isHinted }: Standing, now: number): boolean {
    const waitMs = next === 'soon' || isHinted ? usualMs * soonPart : usualMs;
    // A clock that was set back must not keep it from being asked for years.
    return next !== 'never' && (now - askedAt >= waitMs || now < askedAt);
  }

  function start({ key, ask }: Asked, now: number): void {
    // Until it has answered, nobody asks again.
    const standing: Standing = { askedAt: now, next: 'never', isHinted: false };
    standings.set(key, standing);
    row = row.then(async () => {
      const { findings, next } = await ask().catch(() => noAnswer);
      standing.next = next;
      if (standings.get(key) === standing) {
        answered.push(...findings);
      }
    });
  }

  return (all, now) => {
    const keys = new Set(all.map(({ key }) => key));
    [...standings.keys()].filter((key) => !keys.has(key)).forEach((key) => standings.delete(key));
    for (const asked of all) {
      const standing = standings.get(asked.key);
      if (standing !== undefined) {
        standing.isHinted ||= asked.isHinted;
      }
      if (standing === undefined || isDue(standing, now)) {
        start(asked, now);
      }
    }
    const news = answered;
    answered = [];
    return news;
  };
}
